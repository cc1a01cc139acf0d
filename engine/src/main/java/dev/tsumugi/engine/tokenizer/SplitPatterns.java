package dev.tsumugi.engine.tokenizer;

import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** The patterns by which well-known models split text, and the translation of such patterns into Java's dialect. */
final class SplitPatterns {
    private static final int LONGEST_PATTERN = 4096;

    static final Pattern GPT2 =
            compile("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");
    static final Pattern LLAMA3 = compile("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
    static final Pattern QWEN2 = compile("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
    static final Pattern SINGLE_DIGITS = compile("\\p{N}");
    static final Pattern DIGIT_RUNS = compile("\\p{N}+");

    private SplitPatterns() {}

    /**
     * A pattern of tokenizer.json, where {@code \s} means Unicode's white space and case-insensitive matching folds all of Unicode.
     *
     * @throws IllegalArgumentException when Java cannot compile it
     */
    static Pattern compile(String pattern) {
        if (pattern.length() > LONGEST_PATTERN) {
            throw new IllegalArgumentException("a split pattern of " + pattern.length() + " characters; at most "
                    + LONGEST_PATTERN + " are allowed");
        }
        StringBuilder java = new StringBuilder();
        for (int i = 0; i < pattern.length(); i++) {
            char c = pattern.charAt(i);
            char next = i + 1 < pattern.length() ? pattern.charAt(i + 1) : 0;
            if (c == '\\' && next != 0) {
                java.append(
                        switch (next) {
                            case 's' -> "\\p{IsWhite_Space}";
                            case 'S' -> "\\P{IsWhite_Space}";
                            default -> "\\" + next;
                        });
                i++;
            } else if (pattern.startsWith("(?i:", i)) {
                java.append("(?iu:");
                i += 3;
            } else {
                java.append(c);
            }
        }
        try {
            return Pattern.compile(java.toString());
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException("split pattern cannot be read: " + e.getMessage(), e);
        }
    }
}
