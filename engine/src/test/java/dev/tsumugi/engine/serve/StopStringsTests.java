package dev.tsumugi.engine.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;

class StopStringsTests {

    @Test
    void a_stop_string_across_pieces_is_found_and_not_given_out() {
        StopStrings stops = new StopStrings(List.of("END", "\n\n"));
        assertThat(stops.accept("abE")).isEqualTo("ab");
        assertThat(stops.accept("N")).isEmpty();
        assertThat(stops.found()).isFalse();
        assertThat(stops.accept("D and more")).isEmpty();
        assertThat(stops.found()).isTrue();
        assertThat(stops.accept("x") + stops.finish()).isEmpty();
    }

    @Test
    void what_only_looked_like_a_stop_string_is_given_out_later() {
        StopStrings stops = new StopStrings(List.of("END"));
        assertThat(stops.accept("E")).isEmpty();
        assertThat(stops.accept("NE")).isEqualTo("EN");
        assertThat(stops.finish()).isEqualTo("E");
    }

    @Property(tries = 500)
    void the_text_is_the_whole_up_to_the_first_stop_string(
            @ForAll @Size(max = 20) List<@StringLength(max = 4) @CharRange(from = 'a', to = 'c') String> pieces,
            @ForAll @Size(min = 1, max = 3)
                    List<@StringLength(min = 1, max = 4) @CharRange(from = 'a', to = 'c') String> strings) {
        StopStrings stops = new StopStrings(strings);
        StringBuilder given = new StringBuilder();
        StringBuilder whole = new StringBuilder();
        for (String piece : pieces) {
            whole.append(piece);
            given.append(stops.accept(piece));
            if (stops.found()) {
                break;
            }
        }
        given.append(stops.finish());
        int first = strings.stream()
                .mapToInt(s -> whole.indexOf(s))
                .filter(at -> at >= 0)
                .min()
                .orElse(whole.length());
        assertThat(given.toString()).isEqualTo(whole.substring(0, first));
        assertThat(stops.found()).isEqualTo(first < whole.length());
    }
}
