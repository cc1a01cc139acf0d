package dev.tsumugi.gateway.downstream;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Reads server-sent events one by one; only their data counts here. */
public final class EventStreamReader {
    private final BufferedReader lines;

    public EventStreamReader(InputStream source) {
        lines = new BufferedReader(new InputStreamReader(source, StandardCharsets.UTF_8));
    }

    /** Data of the next event, or null at the end of the stream. */
    public @Nullable String next() throws IOException {
        StringBuilder data = new StringBuilder();
        boolean any = false;
        String line;
        while ((line = lines.readLine()) != null) {
            if (line.isEmpty()) {
                if (any) {
                    return data.toString();
                }
            } else if (line.startsWith("data:")) {
                if (any) {
                    data.append('\n');
                }
                data.append(line, line.startsWith("data: ") ? 6 : 5, line.length());
                any = true;
            }
        }
        return any ? data.toString() : null;
    }
}
