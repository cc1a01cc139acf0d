package dev.tsumugi.engine.tokenizer;

/** Tokens that stand for one byte in SentencePiece vocabularies: {@code <0x00>} to {@code <0xFF>}. */
final class ByteToken {
    private ByteToken() {}

    static String write(int b) {
        return String.format("<0x%02X>", b);
    }

    /** The byte that {@code token} stands for, or -1. */
    static int read(String token) {
        if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
            return -1;
        }
        int high = Character.digit(token.charAt(3), 16);
        int low = Character.digit(token.charAt(4), 16);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }
}
