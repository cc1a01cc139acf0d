package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.ModelFileException;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A regular expression from outside, which may be written to run for ever: it is short, and ends after so many looks at its input, its own and
 * those of all patterns of its file together.
 */
final class BoundedPattern {
    private static final int LONGEST = 2048;
    private static final int MOST_STEPS = 100_000;

    /** Enough to try hundreds of patterns on each of hundreds of layers; half a second. */
    private static final int MOST_STEPS_OF_A_FILE = 100_000_000;

    /** Looks at names that the patterns of one file have taken so far. */
    static final class Steps {
        private int taken;
    }

    private final Path file;
    private final Steps steps;
    private final String text;
    private final Pattern pattern;

    /**
     * @param file that it stands in, for errors
     * @param steps shared by the patterns of that file
     */
    BoundedPattern(Path file, Steps steps, String before, String text, String behind) {
        this.file = file;
        this.steps = steps;
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
        Counted counted = new Counted(name, Math.min(MOST_STEPS, MOST_STEPS_OF_A_FILE - steps.taken));
        try {
            return pattern.matcher(counted).matches();
        } catch (StepsExceeded | StackOverflowError e) {
            throw new ModelFileException(
                    file, "has the pattern '" + text + "', which takes too long to match", "Write it more simply", e);
        } finally {
            steps.taken += counted.steps;
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
        private final int most;
        private int steps;

        Counted(String text, int most) {
            this.text = text;
            this.most = most;
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (steps >= most) {
                throw new StepsExceeded();
            }
            steps++;
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
