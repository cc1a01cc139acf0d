package dev.tsumugi.launcher.command;

import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.client.Ingestion;
import dev.tsumugi.launcher.terminal.Output;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.SortedMap;

/** Ingests and tells how it goes. */
final class IngestReport implements Ingestion.Listener {
    private final Output output;
    private int indexed;
    private int failed;
    private long chunks;

    IngestReport(Output output) {
        this.output = output;
    }

    void run(GatewayClient gateway, SortedMap<String, Path> files) {
        long begin = System.nanoTime();
        new Ingestion(gateway).run(files, this);
        double seconds = Duration.ofNanos(System.nanoTime() - begin).toMillis() / 1000.0;
        output.say(String.format(
                Locale.ROOT,
                "%d of %d documents can be searched (%d passages, %.1f s)%s",
                indexed,
                files.size(),
                chunks,
                seconds,
                failed == 0 ? "." : "; " + failed + " failed."));
    }

    int failed() {
        return failed;
    }

    @Override
    public void finished(DocumentView document) {
        output.object(document);
        if (document.state() == DocumentState.INDEXED) {
            indexed++;
            chunks += document.chunks();
        } else {
            failed++;
            output.say("  " + document.id() + " " + document.state() + ": "
                    + (document.error() != null ? document.error() : "it was deleted meanwhile"));
        }
    }

    @Override
    public void progress(int uploaded, int finished, int total) {
        output.progress(
                "  Reading documents", finished, total, finished + " of " + total + " ready, " + uploaded + " sent");
    }
}
