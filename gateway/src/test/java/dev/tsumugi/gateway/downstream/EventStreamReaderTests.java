package dev.tsumugi.gateway.downstream;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EventStreamReaderTests {
    private static List<String> events(String stream) throws IOException {
        EventStreamReader reader =
                new EventStreamReader(new ByteArrayInputStream(stream.getBytes(StandardCharsets.UTF_8)));
        List<String> events = new ArrayList<>();
        String data;
        while ((data = reader.next()) != null) {
            events.add(data);
        }
        return events;
    }

    @Test
    void each_blank_line_ends_an_event() throws IOException {
        assertThat(events("event: delta\ndata: {\"a\":1}\n\nid: 7\ndata:紡ぐ\n\n"))
                .containsExactly("{\"a\":1}", "紡ぐ");
    }

    @Test
    void data_lines_are_joined_and_comments_ignored() throws IOException {
        assertThat(events(": waiting\n\ndata: a\r\ndata:  b\r\n\r\n")).containsExactly("a\n b");
    }

    @Test
    void the_last_event_counts_although_nothing_follows_it() throws IOException {
        assertThat(events("data: end")).containsExactly("end");
    }

    @Test
    void an_empty_stream_has_no_events() throws IOException {
        assertThat(events("")).isEmpty();
        assertThat(events("\n\n:\n")).isEmpty();
    }
}
