package dev.tsumugi.launcher.client;

import java.util.function.Consumer;

/** Puts the lines of a server-sent event stream together; comments and event names are not needed here. */
final class EventStream {
    private final Consumer<String> listener;
    private final StringBuilder data = new StringBuilder();

    EventStream(Consumer<String> listener) {
        this.listener = listener;
    }

    void line(String line) {
        if (line.isEmpty()) {
            if (!data.isEmpty()) {
                String event = data.toString();
                data.setLength(0);
                listener.accept(event);
            }
        } else if (line.startsWith("data:")) {
            if (!data.isEmpty()) {
                data.append('\n');
            }
            data.append(line.startsWith("data: ") ? line.substring(6) : line.substring(5));
        }
    }
}
