package dev.tsumugi.trainer.gate;

import dev.tsumugi.platform.grounding.Languages;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * How near an answer comes to the wanted one. Answers in Japanese are compared by characters, all others by words as SQuAD's evaluation
 * does (Rajpurkar et al., arXiv 1606.05250): small letters, without punctuation and articles.
 */
final class AnswerScores {
    private static final Set<String> ARTICLES = Set.of("a", "an", "the");
    private static final String PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    private AnswerScores() {}

    static boolean exactMatch(String answer, String wanted) {
        return parts(answer, wanted, answer).equals(parts(answer, wanted, wanted));
    }

    /** Harmonic mean of precision and recall over words, or characters; 1 when both are empty, 0 when one is. */
    static double f1(String answer, String wanted) {
        return f1(parts(answer, wanted, answer), parts(answer, wanted, wanted));
    }

    static double f1(List<String> said, List<String> expected) {
        if (said.isEmpty() || expected.isEmpty()) {
            return said.equals(expected) ? 1 : 0;
        }
        Map<String, Integer> left = new HashMap<>();
        expected.forEach(part -> left.merge(part, 1, Integer::sum));
        int shared = 0;
        for (String part : said) {
            if (left.getOrDefault(part, 0) > 0) {
                left.merge(part, -1, Integer::sum);
                shared++;
            }
        }
        return 2.0 * shared / (said.size() + expected.size());
    }

    private static List<String> parts(String answer, String wanted, String text) {
        boolean japanese = Languages.isJapanese(wanted.isBlank() ? answer : wanted);
        return japanese ? characters(text) : words(text);
    }

    static List<String> words(String text) {
        StringBuilder kept = new StringBuilder(text.length());
        text.toLowerCase(Locale.ROOT)
                .codePoints()
                .filter(c -> PUNCTUATION.indexOf(c) < 0)
                .forEach(kept::appendCodePoint);
        return Arrays.stream(kept.toString().split("\\s+"))
                .filter(word -> !word.isEmpty() && !ARTICLES.contains(word))
                .toList();
    }

    static List<String> characters(String text) {
        return Normalizer.normalize(text, Normalizer.Form.NFKC)
                .toLowerCase(Locale.ROOT)
                .codePoints()
                .filter(c -> !isLeftOut(c))
                .mapToObj(Character::toString)
                .toList();
    }

    /** Categories Z*, P* and C* of Unicode. */
    private static boolean isLeftOut(int c) {
        return switch (Character.getType(c)) {
            case Character.SPACE_SEPARATOR,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.CONNECTOR_PUNCTUATION,
                    Character.DASH_PUNCTUATION,
                    Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION,
                    Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED -> true;
            default -> false;
        };
    }
}
