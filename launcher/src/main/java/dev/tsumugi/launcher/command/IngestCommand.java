package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.client.DocumentFiles;
import dev.tsumugi.launcher.terminal.Output;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
        name = "ingest",
        description = {
            "Read files, and folders with all files below them, and wait until they can be searched.",
            "A file that was read before becomes a new version of the same document."
        })
public final class IngestCommand extends Verb {
    @Parameters(paramLabel = "PATH", arity = "1..*", description = "Files and folders. Hidden files are left out.")
    List<Path> paths = List.of();

    @Override
    int run(Output output) {
        SortedMap<String, Path> files = DocumentFiles.find(paths, workingFolder());
        if (files.isEmpty()) {
            output.say("There is no file in there.");
            return DONE;
        }
        IngestReport report = new IngestReport(output);
        report.run(gateway(), files);
        return report.failed() == 0 ? DONE : FAILED;
    }

    /** The folder that the user is in; the start script may run in another. */
    static Path workingFolder() {
        return Path.of(System.getProperty("user.dir", "."));
    }
}
