package dev.tsumugi.engine.serve;

/**
 * Guesses how a text goes on by where it said the same before: the longest earlier occurrence of its last tokens, the latest of equals, and
 * what followed there. Answers that quote their prompt are guessed well. (Saxena, "Prompt Lookup Decoding", 2023.)
 */
final class PromptLookup {
    /** Longer agreement than this says nothing more. */
    static final int LONGEST_MATCH = 12;

    private PromptLookup() {}

    /**
     * Writes a guess for the tokens from {@code known} on into {@code tokens} itself, so that a guess may run on into its own beginning.
     *
     * @param tokens with room for {@code count} behind {@code known}
     * @return how many of the last tokens agreed; 0: nothing was guessed
     */
    static int guess(int[] tokens, int known, int count) {
        int last = tokens[known - 1];
        int longest = 0;
        int from = 0;
        for (int end = known - 2; end >= 0 && longest < LONGEST_MATCH; end--) {
            if (tokens[end] == last) {
                int length = agreement(tokens, end, known - 1);
                if (length > longest) {
                    longest = length;
                    from = end + 1;
                }
            }
        }
        if (longest > 0) {
            for (int i = 0; i < count; i++) {
                tokens[known + i] = tokens[from + i];
            }
        }
        return longest;
    }

    private static int agreement(int[] tokens, int earlier, int later) {
        int most = Math.min(LONGEST_MATCH, earlier + 1);
        int length = 1;
        while (length < most && tokens[earlier - length] == tokens[later - length]) {
            length++;
        }
        return length;
    }
}
