package dev.tsumugi.engine.tokenizer;

import java.text.Normalizer.Form;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rewrites text before it is split. */
sealed interface Normalizer {
    Normalizer NONE = new Sequence(List.of());

    String normalize(String text);

    /** One after the other. */
    record Sequence(List<Normalizer> steps) implements Normalizer {
        @Override
        public String normalize(String text) {
            for (Normalizer step : steps) {
                text = step.normalize(text);
            }
            return text;
        }
    }

    /** A Unicode normal form. */
    record Unicode(Form form) implements Normalizer {
        @Override
        public String normalize(String text) {
            return java.text.Normalizer.normalize(text, form);
        }
    }

    /** Puts {@code prefix} before any text that is not empty. */
    record Prepend(String prefix) implements Normalizer {
        @Override
        public String normalize(String text) {
            return text.isEmpty() ? text : prefix + text;
        }
    }

    /** Replaces every match. */
    record Replace(Pattern pattern, String by) implements Normalizer {
        @Override
        public String normalize(String text) {
            return pattern.matcher(text).replaceAll(Matcher.quoteReplacement(by));
        }
    }

    /** Removes white space at the ends. */
    record Strip(boolean left, boolean right) implements Normalizer {
        @Override
        public String normalize(String text) {
            int from = 0;
            int to = text.length();
            while (left && from < to && WhiteSpace.is(text.charAt(from))) {
                from++;
            }
            while (right && to > from && WhiteSpace.is(text.charAt(to - 1))) {
                to--;
            }
            return text.substring(from, to);
        }
    }

    /** Lower case without regard to language. */
    record Lowercase() implements Normalizer {
        @Override
        public String normalize(String text) {
            return text.toLowerCase(Locale.ROOT);
        }
    }

    /** SentencePiece's compiled table of replacements. */
    record Mapped(CharacterMap map) implements Normalizer {
        @Override
        public String normalize(String text) {
            return map.apply(text);
        }
    }
}
