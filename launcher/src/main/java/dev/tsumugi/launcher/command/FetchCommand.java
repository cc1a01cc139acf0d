package dev.tsumugi.launcher.command;

import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.launcher.terminal.Output;
import dev.tsumugi.launcher.terminal.StartReport;
import java.nio.file.Path;
import java.util.Map;
import picocli.CommandLine.Command;

@Command(
        name = "fetch",
        description = {
            "Download what Tsumugi needs (PostgreSQL, the language model) and start nothing.",
            "What is there already is kept."
        })
public final class FetchCommand extends Verb {
    @Override
    int run(Output output) {
        Downloads downloads = Downloads.inDefaultCache().reportingTo(new StartReport(output));
        Path postgres = downloads.postgres();
        Path model = downloads.languageModel();
        output.say("PostgreSQL      " + postgres);
        output.say("Language model  " + model);
        output.object(Map.of("postgres", postgres.toString(), "languageModel", model.toString()));
        return DONE;
    }
}
