package dev.tsumugi.engine.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Cuts text into words; tokens never reach over the border of two words. */
sealed interface PreTokenizer {
    PreTokenizer NONE = new Sequence(List.of());

    /** @param first whether {@code text} begins the whole text, no special token before it */
    List<String> split(String text, boolean first);

    /** Each step splits the words of the one before. */
    record Sequence(List<PreTokenizer> steps) implements PreTokenizer {
        @Override
        public List<String> split(String text, boolean first) {
            List<String> words = List.of(text);
            for (PreTokenizer step : steps) {
                List<String> finer = new ArrayList<>(words.size());
                for (int i = 0; i < words.size(); i++) {
                    finer.addAll(step.split(words.get(i), first && i == 0));
                }
                words = finer;
            }
            return words;
        }
    }

    /** Matches are words and so is what stands between them. */
    record Isolated(Pattern pattern) implements PreTokenizer {
        @Override
        public List<String> split(String text, boolean first) {
            List<String> words = new ArrayList<>();
            Matcher matcher = pattern.matcher(text);
            int done = 0;
            while (matcher.find()) {
                if (matcher.start() > done) {
                    words.add(text.substring(done, matcher.start()));
                }
                if (matcher.end() > matcher.start()) {
                    words.add(text.substring(matcher.start(), matcher.end()));
                }
                done = matcher.end();
            }
            if (done < text.length()) {
                words.add(text.substring(done));
            }
            return words;
        }
    }

    /** A space in front where there is none. */
    record LeadingSpace() implements PreTokenizer {
        @Override
        public List<String> split(String text, boolean first) {
            return List.of(text.startsWith(" ") ? text : " " + text);
        }
    }

    /** Spaces become {@code replacement}, one more is put in front, and each word begins with its own. */
    record Metaspace(String replacement, Prefix prefix, boolean splits) implements PreTokenizer {
        /** Before which text a space is put. */
        enum Prefix {
            ALWAYS,
            FIRST,
            NEVER
        }

        @Override
        public List<String> split(String text, boolean first) {
            String replaced = text.replace(" ", replacement);
            boolean wanted = prefix == Prefix.ALWAYS || prefix == Prefix.FIRST && first;
            if (wanted && !replaced.startsWith(replacement)) {
                replaced = replacement + replaced;
            }
            if (!splits) {
                return List.of(replaced);
            }
            List<String> words = new ArrayList<>();
            int from = 0;
            for (int at = replaced.indexOf(replacement, 1); at >= 0; at = replaced.indexOf(replacement, at + 1)) {
                words.add(replaced.substring(from, at));
                from = at;
            }
            words.add(replaced.substring(from));
            return words;
        }
    }
}
