package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.runtime.Platform;
import dev.tsumugi.launcher.runtime.PlatformLog;
import dev.tsumugi.launcher.runtime.StartCache;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import dev.tsumugi.launcher.terminal.StartReport;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "up",
        description = {"Start everything and stay; Ctrl-C stops it.", "Fetches what is missing first."})
public final class UpCommand extends Verb {
    static final String FASTER_STARTS = "Preparing faster starts in the background, once.";

    @Option(
            names = {"-d", "--detach"},
            description = "Return when it is ready and leave it running; './tsumugi stop' stops it.")
    boolean detach;

    @Override
    void chooseLog() {
        if (detach) {
            super.chooseLog();
        } else {
            PlatformLog.toFiles(home());
        }
    }

    @Override
    int run(Output output) {
        if (detach) {
            Background.ensureRunning(home(), ports(), output);
            return DONE;
        }
        long begin = System.nanoTime();
        StateFolder home = home();
        output.say("Starting Tsumugi; state in " + home.path() + ", logs in " + home.logs());
        Optional<StartCache> startCache = StartCache.ofThisProcess();
        Platform platform = Platform.start(home, ports(), System.getenv(), new StartReport(output));
        double seconds = Duration.ofNanos(System.nanoTime() - begin).toMillis() / 1000.0;
        ReadyMessage ready = new ReadyMessage(home, platform.ports().gateway(), platform.hasNewKey(), seconds);
        startCache.ifPresent(StartCache::keep);
        output.object(Map.of("ready", ready.forScripts()));
        ready.say(output);
        output.say("Ctrl-C stops it. In another terminal: ./tsumugi ingest PATH..., then ./tsumugi ask \"...\"");
        sayWhenStopped(platform, startCache.isPresent(), output);
        waitForTheEnd();
        return DONE;
    }

    private static void sayWhenStopped(Platform platform, boolean makesStartCache, Output output) {
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            platform.close();
                            output.say("Stopped.");
                            if (makesStartCache) {
                                output.say(FASTER_STARTS);
                            }
                        },
                        "say-stopped"));
    }

    /** Until the process is asked to end: then the platform closes itself. */
    private static void waitForTheEnd() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
