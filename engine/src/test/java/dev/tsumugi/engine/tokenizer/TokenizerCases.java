package dev.tsumugi.engine.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Holds a tokenizer to recorded cases. */
public final class TokenizerCases {
    private TokenizerCases() {}

    public static void holds(Tokenizer tokenizer, List<JsonNode> cases) {
        for (JsonNode recorded : cases) {
            String text = recorded.path("text").asString();
            int[] ids = GoldenFiles.ints(recorded.path("ids"));
            assertThat(tokenizer.encode(text)).as("ids of <%s>", text).isEqualTo(ids);
            assertThat(tokenizer.decode(ids, false))
                    .as("decoded <%s>", text)
                    .isEqualTo(recorded.path("decoded").asString());
            assertThat(tokenizer.decode(ids, true))
                    .as("decoded without special tokens <%s>", text)
                    .isEqualTo(recorded.path("decoded_skip_special").asString());
            assertThat(stream(tokenizer, ids)).as("stream of <%s>", text).isEqualTo(pieces(recorded));
        }
    }

    static List<String> stream(Tokenizer tokenizer, int[] ids) {
        Detokenizer detokenizer = tokenizer.detokenizer(false);
        List<String> pieces = new ArrayList<>();
        for (int id : ids) {
            pieces.add(detokenizer.accept(id));
        }
        return pieces;
    }

    /** The recorder holds a genuine U+FFFD back, because it cannot tell it from an incomplete character; we give it out at once. */
    private static List<String> pieces(JsonNode recorded) {
        List<String> pieces = new ArrayList<>();
        recorded.path("stream").forEach(piece -> pieces.add(piece.isNull() ? "" : piece.asString()));
        return recorded.path("text").asString().equals("\uFFFD") ? List.of("\uFFFD") : pieces;
    }
}
