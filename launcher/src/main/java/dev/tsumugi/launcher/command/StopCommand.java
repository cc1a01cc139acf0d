package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.runtime.PlatformProcess;
import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;

@Command(name = "stop", description = "Stop the Tsumugi that runs on this state folder. All documents stay.")
public final class StopCommand extends Verb {
    private static final Duration START_CACHE_LIMIT = Duration.ofMinutes(3);

    @Override
    int run(Output output) {
        StateFolder home = home();
        Optional<PlatformRecord> record = PlatformRecord.running(home);
        Optional<ProcessHandle> process = record.flatMap(PlatformRecord::handle);
        if (process.isEmpty()) {
            output.say("Tsumugi is not running on " + home.path() + ".");
            output.object(Map.of("stopped", false, "running", false));
            return DONE;
        }
        boolean writesStartCache = process.get().info().commandLine().orElse("").contains("-XX:AOTCacheOutput=");
        boolean clean = PlatformProcess.stop(home, process.get());
        output.say(
                clean
                        ? "Stopped."
                        : "Stopped the hard way, because it did not end by itself. Nothing is lost; the next start may take longer.");
        if (writesStartCache && process.get().isAlive()) {
            output.say("Preparing faster starts; this takes some seconds, once.");
        }
        PlatformProcess.awaitEnd(process.get(), START_CACHE_LIMIT);
        output.object(
                Map.of("stopped", true, "clean", clean, "pid", process.get().pid()));
        return DONE;
    }
}
