package dev.tsumugi.launcher.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes later starts faster: the start script lets the first run with a new build record the classes that it loads, and this hands the record
 * over to the script, which makes an archive of those classes. Only a run that became ready is worth that, and only when it has ended: then
 * nobody waits for it, and it takes no time from answers. Any other run leaves nothing behind.
 */
public final class StartCache {
    private static final Logger log = LoggerFactory.getLogger(StartCache.class);
    private static final String RECORDING = "-XX:DumpLoadedClassList=";

    private final Path record;
    private final Path script;
    private volatile boolean worthKeeping;

    private StartCache(Path record, Path script) {
        this.record = record;
        this.script = script;
    }

    /** The record of this process, if it makes one; its fate is decided when the process ends. */
    public static Optional<StartCache> ofThisProcess() {
        Optional<Path> record = recordIn(ManagementFactory.getRuntimeMXBean().getInputArguments().stream());
        String project = System.getProperty("tsumugi.project", "");
        if (record.isEmpty() || project.isEmpty()) {
            return Optional.empty();
        }
        StartCache cache = new StartCache(record.get(), Path.of(project, "tsumugi"));
        Runtime.getRuntime().addShutdownHook(new Thread(cache::atEnd, "start-cache"));
        return Optional.of(cache);
    }

    /** True when the end of {@code process} begins the making of an archive. */
    public static boolean isRecordedBy(ProcessHandle process) {
        return recordIn(process.info().arguments().stream().flatMap(Arrays::stream))
                .isPresent();
    }

    /** The platform has become ready: what it loaded is what the next start needs. */
    public void keep() {
        worthKeeping = true;
    }

    private void atEnd() {
        try {
            if (worthKeeping) {
                // In a session of its own, where neither Ctrl-C nor the end of the terminal reaches it.
                var unused = PlatformProcess.detached(
                                script.toString(),
                                "keep-start-cache",
                                record.toString(),
                                Long.toString(ProcessHandle.current().pid()))
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
            } else {
                Files.deleteIfExists(record);
            }
        } catch (IOException | UncheckedIOException e) {
            log.warn("Later starts stay slow: {}", e.toString());
        }
    }

    private static Optional<Path> recordIn(Stream<String> arguments) {
        return arguments
                .filter(argument -> argument.startsWith(RECORDING))
                .map(argument -> Path.of(argument.substring(RECORDING.length())))
                .findFirst();
    }
}
