package dev.tsumugi.platform.grounding;

/** Small models get stuck: they say the same words again and again until their tokens run out. */
public final class Repetition {
    private static final int SHORTEST = 3;
    private static final int LONGEST = 200;
    private static final int TIMES = 3;

    private Repetition() {}

    /** Whether the text ends with the same words three times in a row. */
    public static boolean endsWithOne(CharSequence text) {
        return period(text) > 0;
    }

    /** The text with such words once. */
    public static String withoutOne(CharSequence text) {
        int period = period(text);
        return text.subSequence(0, text.length() - period * (TIMES - 1)).toString();
    }

    private static int period(CharSequence text) {
        int longest = Math.min(LONGEST, text.length() / TIMES);
        for (int period = SHORTEST; period <= longest; period++) {
            if (repeats(text, period)) {
                return period;
            }
        }
        return 0;
    }

    private static boolean repeats(CharSequence text, int period) {
        boolean letters = false;
        for (int i = text.length() - period * (TIMES - 1); i < text.length(); i++) {
            if (text.charAt(i) != text.charAt(i - period)) {
                return false;
            }
            letters |= Character.isLetter(text.charAt(i));
        }
        return letters;
    }
}
