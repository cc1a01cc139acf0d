package dev.tsumugi.launcher;

import dev.tsumugi.launcher.client.GatewayException;
import dev.tsumugi.launcher.command.AdaptersCommand;
import dev.tsumugi.launcher.command.AskCommand;
import dev.tsumugi.launcher.command.DemoCommand;
import dev.tsumugi.launcher.command.DoctorCommand;
import dev.tsumugi.launcher.command.FetchCommand;
import dev.tsumugi.launcher.command.IngestCommand;
import dev.tsumugi.launcher.command.ModelsCommand;
import dev.tsumugi.launcher.command.SearchCommand;
import dev.tsumugi.launcher.command.StatusCommand;
import dev.tsumugi.launcher.command.StopCommand;
import dev.tsumugi.launcher.command.TrainCommand;
import dev.tsumugi.launcher.command.UpCommand;
import dev.tsumugi.launcher.terminal.Output;
import java.io.PrintWriter;
import java.util.Arrays;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command line. Exit codes: 0 done, 1 failed, 2 wrong usage. */
@Command(
        name = "tsumugi",
        mixinStandardHelpOptions = true,
        version = "Tsumugi 0.1.0",
        description = "Answers questions from your own documents, on your own machine.",
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "",
            "Besides these, the start script knows:",
            "  bench NAME  measure speed; each benchmark checks its answer first",
            "  test        build everything and run all tests",
            "",
            "Environment: TSUMUGI_HOME (state), TSUMUGI_CACHE (downloads),",
            "             TSUMUGI_PORT (default 8080), TSUMUGI_MODEL and",
            "             TSUMUGI_EMBEDDING_MODEL (your own models)."
        },
        subcommands = {
            UpCommand.class,
            DemoCommand.class,
            StopCommand.class,
            StatusCommand.class,
            IngestCommand.class,
            SearchCommand.class,
            AskCommand.class,
            TrainCommand.class,
            ModelsCommand.class,
            AdaptersCommand.class,
            DoctorCommand.class,
            FetchCommand.class
        })
public final class Tsumugi {
    private Tsumugi() {}

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        CommandLine line = new CommandLine(new Tsumugi());
        line.setUsageHelpAutoWidth(true);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler(Tsumugi::explain);
        return line;
    }

    /** People read why it failed and what to do; a stack trace only where neither is known. */
    private static int explain(Exception failure, CommandLine line, CommandLine.ParseResult parsed) {
        boolean json = Arrays.asList(parsed.originalArgs().toArray()).contains("--json");
        String message = failure.getMessage() != null ? failure.getMessage() : failure.toString();
        if (json) {
            Output.standard(true).object("error", message);
        } else {
            PrintWriter err = line.getErr();
            err.println("Error: " + message);
            if (failure instanceof NullPointerException || failure instanceof IllegalStateException) {
                failure.printStackTrace(err);
            }
            err.flush();
        }
        return failure instanceof GatewayException refusal && refusal.status() == 400 ? 2 : 1;
    }
}
