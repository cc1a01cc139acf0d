package dev.tsumugi.engine.constrain;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.tokenizer.GoldenFiles;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Answers of a model that knows nothing: any allowed token, with a liking for those that come to an end. */
final class RandomAnswers {
    private static final int LONGEST = 500;

    /** Byte-level, SentencePiece with byte tokens, and unigram vocabularies. */
    static final Map<String, Constraints> VOCABULARIES = Stream.of(
                    "tiny-llama",
                    "tokenizer/llama3-style",
                    "tokenizer/qwen2-style",
                    "tokenizer/llama2-style",
                    "tokenizer/unigram-style")
            .collect(Collectors.toMap(name -> name, name -> new Constraints(GoldenFiles.tokenizer(name))));

    private RandomAnswers() {}

    /** An answer, or nothing when it did not come to an end in time. */
    static Optional<String> any(Random random, Constraint constraint) {
        Tokenizer tokenizer = constraint.tokenizer();
        List<Integer> tokens = new ArrayList<>();
        ConstraintState state = constraint.initial();
        while (!state.isComplete() && !(state.isAccepting() && random.nextInt(3) == 0)) {
            int token = choose(random, state.mask(), tokenizer, 1 + tokens.size() / 50.0);
            assertThat(tokenizer.isSpecial(token)).isFalse();
            state = state.after(token);
            tokens.add(token);
            if (tokens.size() == LONGEST) {
                return Optional.empty();
            }
        }
        return Optional.of(
                tokenizer.decode(tokens.stream().mapToInt(Integer::intValue).toArray(), true));
    }

    private static int choose(Random random, TokenMask mask, Tokenizer tokenizer, double haste) {
        assertThat(mask.size()).as("a dead end: tokens that are allowed").isPositive();
        int best = -1;
        double most = -1;
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            if (mask.allows(id)) {
                // The largest of u^(1/w) is a choice in proportion to the weights w (Efraimidis and Spirakis 2006).
                double key = Math.pow(random.nextDouble(), 1 / weight(tokenizer.bytesOf(id), haste));
                if (key > most) {
                    most = key;
                    best = id;
                }
            }
        }
        return best;
    }

    private static double weight(byte[] bytes, double haste) {
        return switch (bytes[bytes.length - 1]) {
            case '"', '}', ']' -> 30 * haste;
            case '{', '[', ',' -> 0.4 / haste;
            default -> bytes[0] < 0 ? 3 : 1;
        };
    }
}
