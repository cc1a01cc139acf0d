package dev.tsumugi.generator.model;

import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;

/** Server-sent events (HTML standard, 9.2) on a servlet response; each is flushed, so a client that is gone shows as IOException. */
public final class EventStream {
    private static final byte[] HEARTBEAT = ":\n\n".getBytes(StandardCharsets.UTF_8);

    private final HttpServletResponse response;

    public EventStream(HttpServletResponse response) {
        this.response = response;
        response.setContentType("text/event-stream;charset=UTF-8");
        response.setHeader(HttpHeaders.CACHE_CONTROL, "no-store");
        // Proxies would hold the stream back otherwise.
        response.setHeader("X-Accel-Buffering", "no");
    }

    /**
     * @param event absent: the default event, {@code message}
     * @param data one line, such as JSON
     */
    public void send(@Nullable String event, String data) throws IOException {
        String text = (event == null ? "" : "event: " + event + "\n") + "data: " + data + "\n\n";
        write(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Says nothing, but learns whether the client is still there. */
    public void heartbeat() throws IOException {
        write(HEARTBEAT);
    }

    private void write(byte[] bytes) throws IOException {
        response.getOutputStream().write(bytes);
        response.flushBuffer();
    }
}
