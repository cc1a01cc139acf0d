package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.terminal.Output;
import picocli.CommandLine.Command;
import tools.jackson.databind.JsonNode;

@Command(name = "models", description = "List the models and adapters that the running Tsumugi serves.")
public final class ModelsCommand extends Verb {
    @Override
    int run(Output output) {
        for (JsonNode model : gateway().models().path("data")) {
            output.say(model.path("id").asString(""));
            output.object(model);
        }
        return DONE;
    }
}
