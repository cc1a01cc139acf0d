package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.runtime.PlatformProcess;
import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.StartCache;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;

@Command(name = "stop", description = "Stop the Tsumugi that runs on this state folder. All documents stay.")
public final class StopCommand extends Verb {
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
        boolean makesStartCache = StartCache.isRecordedBy(process.get());
        boolean clean = PlatformProcess.stop(process.get());
        output.say(
                clean
                        ? "Stopped."
                        : "Stopped the hard way, because it did not end by itself. Nothing is lost; the next start may take longer.");
        if (clean && makesStartCache) {
            output.say(UpCommand.FASTER_STARTS);
        }
        output.object(
                Map.of("stopped", true, "clean", clean, "pid", process.get().pid()));
        return DONE;
    }
}
