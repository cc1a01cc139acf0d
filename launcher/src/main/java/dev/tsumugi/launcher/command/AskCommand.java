package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.terminal.Output;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "ask", description = "Ask a question and see the answer as it is written, with the passages behind it.")
public final class AskCommand extends Verb {
    @Parameters(paramLabel = "QUESTION", description = "In quotes.")
    String question = "";

    @Option(
            names = {"-n", "--limit"},
            paramLabel = "N",
            description = "Passages to look at, 1 to 20 (default ${DEFAULT-VALUE}).")
    int limit = 5;

    @Option(
            names = "--adapter",
            paramLabel = "NAME",
            description = "An adapter's name, or none (default: the promoted one).")
    @Nullable
    String adapter;

    @Override
    int run(Output output) {
        return new AnswerPrinter(gateway(), output).ask(question, limit, adapter) ? DONE : FAILED;
    }
}
