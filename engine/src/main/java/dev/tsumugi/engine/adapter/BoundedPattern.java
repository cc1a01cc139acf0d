package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.ModelFileException;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** A regular expression from outside, which may be written to run for ever: it is short, and ends after so many looks at its input. */
final class BoundedPattern {
    private static final int LONGEST = 2048;
    private static final int MOST_STEPS = 100_000;

    private final Path file;
    private final String text;
    private final Pattern pattern;

    /** @param file that it stands in, for errors */
    BoundedPattern(Path file, String before, String text, String behind) {
        this.file = file;
        this.text = text;
        if (text.length() > LONGEST) {
            throw new ModelFileException(
                    file,
                    "has a pattern of " + text.length() + " characters",
                    "At most " + LONGEST + " are read; name the layers more shortly");
        }
        try {
            pattern = Pattern.compile(before + text + behind);
        } catch (PatternSyntaxException e) {
            throw new ModelFileException(
                    file, "has the pattern '" + text + "', which is no regular expression", "Correct it", e);
        }
    }

    /** Whether all of {@code name} matches. */
    boolean matches(String name) {
        try {
            return pattern.matcher(new Counted(name)).matches();
        } catch (StepsExceeded | StackOverflowError e) {
            throw new ModelFileException(
                    file, "has the pattern '" + text + "', which takes too long to match", "Write it more simply", e);
        }
    }

    private static final class StepsExceeded extends RuntimeException {
        private static final long serialVersionUID = 1L;

        StepsExceeded() {
            super("too many steps", null, false, false);
        }
    }

    /** Counts how often a character is looked at. */
    private static final class Counted implements CharSequence {
        private final String text;
        private int steps;

        Counted(String text) {
            this.text = text;
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (++steps > MOST_STEPS) {
                throw new StepsExceeded();
            }
            return text.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.subSequence(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
