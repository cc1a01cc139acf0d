package dev.tsumugi.engine.tokenizer;

/** The Unicode property White_Space, which is neither {@link Character#isWhitespace} nor {@link Character#isSpaceChar}. */
final class WhiteSpace {
    private WhiteSpace() {}

    static boolean is(char c) {
        return c == ' ' || c >= '\t' && c <= '\r' || c == '\u0085' || c >= '\u00A0' && Character.isSpaceChar(c);
    }
}
