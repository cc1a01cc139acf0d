package dev.tsumugi.engine.tokenizer;

import java.util.Arrays;

/**
 * The printable characters by which byte-level vocabularies write the 256 bytes: printable Latin-1 stands for itself, the other bytes for
 * U+0100 and up in order (the scheme of GPT-2).
 */
final class ByteAlphabet {
    private static final char[] CHARACTER = new char[256];
    private static final short[] BYTE = new short[512];

    static {
        Arrays.fill(BYTE, (short) -1);
        char next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            CHARACTER[b] = printable ? (char) b : next++;
            BYTE[CHARACTER[b]] = (short) b;
        }
    }

    private ByteAlphabet() {}

    static char characterOf(int b) {
        return CHARACTER[b & 0xFF];
    }

    static String write(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length);
        for (byte b : bytes) {
            text.append(characterOf(b));
        }
        return text.toString();
    }

    /** The bytes that {@code token} writes; where it holds a character outside of the alphabet, its UTF-8 bytes. */
    static byte[] read(String token) {
        byte[] bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTE.length || BYTE[c] < 0) {
                return Utf8.bytes(token);
            }
            bytes[i] = (byte) BYTE[c];
        }
        return bytes;
    }
}
