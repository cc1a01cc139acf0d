package dev.tsumugi.gateway.downstream;

import dev.tsumugi.gateway.GatewayProperties;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.stereotype.Component;

/**
 * Passes a stream of server-sent events on as it arrives. While nothing arrives, comment lines keep proxies from closing the connection
 * and show whether the caller is still there; when the caller has gone, the stream from the service is closed, which stops its work.
 */
@Component
public final class EventStreamRelay {
    private static final Logger log = LoggerFactory.getLogger(EventStreamRelay.class);
    private static final byte[] COMMENT = ": waiting\n\n".getBytes(StandardCharsets.UTF_8);
    private static final int BUFFER = 8192;
    private static final int QUEUED_READS = 64;

    private final Duration heartbeat;

    EventStreamRelay(GatewayProperties properties) {
        this.heartbeat = properties.heartbeat();
    }

    /** A piece of the stream; its end has no bytes, and a failure where it was cut off. */
    private record Piece(byte @Nullable [] bytes, @Nullable IOException failure) {}

    /**
     * Returns when the stream has ended or the caller has gone.
     *
     * @param brokenOff the event that tells the caller that {@code source} was cut off
     */
    public void relay(InputStream source, HttpServletResponse response, String brokenOff) throws IOException {
        response.setContentType("text/event-stream;charset=UTF-8");
        response.setHeader(HttpHeaders.CACHE_CONTROL, "no-store");
        // Reverse proxies would collect the stream otherwise.
        response.setHeader("X-Accel-Buffering", "no");
        BlockingQueue<Piece> pieces = new ArrayBlockingQueue<>(QUEUED_READS);
        Thread reader = Thread.ofVirtual().name("event-stream-reader").start(() -> read(source, pieces));
        try {
            write(pieces, response, brokenOff);
        } catch (IOException e) {
            log.debug("the caller has gone: {}", e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            source.close();
            reader.interrupt();
        }
    }

    private static void read(InputStream source, BlockingQueue<Piece> pieces) {
        byte[] buffer = new byte[BUFFER];
        try {
            Piece end;
            try {
                int read;
                while ((read = source.read(buffer)) >= 0) {
                    pieces.put(new Piece(Arrays.copyOf(buffer, read), null));
                }
                end = new Piece(null, null);
            } catch (IOException e) {
                end = new Piece(null, e);
            }
            pieces.put(end);
        } catch (InterruptedException e) {
            // The writer has left; nobody waits for more.
            Thread.currentThread().interrupt();
        }
    }

    private void write(BlockingQueue<Piece> pieces, HttpServletResponse response, String brokenOff)
            throws IOException, InterruptedException {
        OutputStream out = response.getOutputStream();
        response.flushBuffer();
        boolean betweenEvents = true;
        while (true) {
            Piece piece = pieces.poll(heartbeat.toMillis(), TimeUnit.MILLISECONDS);
            if (piece == null) {
                if (betweenEvents) {
                    out.write(COMMENT);
                    response.flushBuffer();
                }
                continue;
            }
            byte[] bytes = piece.bytes();
            if (bytes == null) {
                if (piece.failure() != null) {
                    log.warn("an event stream was cut off: {}", piece.failure().getMessage());
                    out.write(((betweenEvents ? "" : "\n\n") + brokenOff).getBytes(StandardCharsets.UTF_8));
                    response.flushBuffer();
                }
                return;
            }
            if (bytes.length > 0) {
                out.write(bytes);
                response.flushBuffer();
                betweenEvents = endsEvent(bytes, betweenEvents);
            }
        }
    }

    private static boolean endsEvent(byte[] bytes, boolean before) {
        int last = bytes.length - 1;
        if (last == 0) {
            return before && bytes[0] == '\n';
        }
        return bytes[last] == '\n' && (bytes[last - 1] == '\n' || last >= 2 && bytes[last - 2] == '\n');
    }
}
