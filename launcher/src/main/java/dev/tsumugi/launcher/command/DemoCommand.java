package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.client.DocumentFiles;
import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
        name = "demo",
        description = {
            "Start Tsumugi if it is not running, read this project's guides and your files, and ask two questions.",
            "Tsumugi stays up; './tsumugi stop' stops it."
        })
public final class DemoCommand extends Verb {
    private static final List<String> QUESTIONS = List.of(
            "Which port does the gateway listen on?", "To which topic does a record go that cannot be processed?");
    private static final int PASSAGES = 5;

    @Parameters(paramLabel = "PATH", arity = "0..*", description = "Files and folders of yours to read as well.")
    List<Path> paths = List.of();

    @Override
    int run(Output output) {
        // Looked up first: a mistyped path should not cost a start.
        SortedMap<String, Path> files = DocumentFiles.find(paths, IngestCommand.workingFolder());
        Path project = projectFolder();
        Path guides = project.resolve("docs");
        if (Files.isDirectory(guides)) {
            files.putAll(DocumentFiles.find(List.of(guides), project));
        }
        StateFolder home = home();
        Background.ensureRunning(home, ports(), output);
        GatewayClient gateway = gateway();

        output.say("");
        output.say("Reading " + files.size() + " documents");
        IngestReport report = new IngestReport(output);
        report.run(gateway, files);

        boolean answered = true;
        for (String question : QUESTIONS) {
            output.say("");
            output.say("? " + question);
            output.object("question", question);
            answered &= new AnswerPrinter(gateway, output).ask(question, PASSAGES, null);
        }
        sayWhatNext(output, gateway, home);
        output.object(Map.of("demo", "done", "documents", files.size(), "failed", report.failed()));
        return answered && report.failed() == 0 ? DONE : FAILED;
    }

    /** The start script says where the project is. */
    private static Path projectFolder() {
        return Path.of(System.getProperty("tsumugi.project", "."))
                .toAbsolutePath()
                .normalize();
    }

    private static void sayWhatNext(Output output, GatewayClient gateway, StateFolder home) {
        output.say("");
        output.say("Tsumugi stays up. Try next:");
        output.say("  ./tsumugi ingest PATH...            read your own documents");
        output.say("  ./tsumugi ask \"...\"                 ask about them");
        output.say("  ./tsumugi search \"...\"              see the passages that it would look at");
        home.adminKey().ifPresent(key -> output.say("  " + gateway.address() + "/#key=" + key + "   the web page"));
        output.say("  ./tsumugi stop                      stop it; documents stay");
    }
}
