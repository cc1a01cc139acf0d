package dev.tsumugi.launcher.terminal;

import dev.tsumugi.launcher.runtime.StartListener;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Tells how a start goes: downloads, and each part as it is ready. */
public final class StartReport implements StartListener {
    private static final long MEGABYTE = 1_000_000;
    private static final int PLAIN_STEP_PERCENT = 25;

    private final Output output;
    private final Map<String, Long> toldPercent = new ConcurrentHashMap<>();

    public StartReport(Output output) {
        this.output = output;
    }

    @Override
    public void started(String part, Duration took) {
        output.say(String.format(Locale.ROOT, "  %-12s ready after %.1f s", part, took.toMillis() / 1000.0));
        output.object(Map.of("started", part, "millis", took.toMillis()));
    }

    @Override
    public void brokenOff() {
        output.say("Stopped before it was ready.");
    }

    @Override
    public void progress(String what, long doneBytes, long totalBytes) {
        String figures =
                String.format(Locale.ROOT, "%d of %d MB", doneBytes / MEGABYTE, Math.ceilDiv(totalBytes, MEGABYTE));
        output.progress("  " + what, doneBytes, totalBytes, figures);
        long percent = 100 * doneBytes / Math.max(1, totalBytes);
        long step = percent / PLAIN_STEP_PERCENT * PLAIN_STEP_PERCENT;
        Long before = toldPercent.put(what, step);
        if (before == null) {
            output.say("  Fetching " + what + " (" + Math.ceilDiv(totalBytes, MEGABYTE) + " MB)");
        }
        if (before == null || before < step) {
            output.object(Map.of("fetching", what, "bytes", doneBytes, "of", totalBytes));
        }
        if (doneBytes == totalBytes) {
            output.say("  " + what + " is there, checksum right");
        }
    }
}
