package dev.tsumugi.engine.tokenizer;

import java.nio.charset.StandardCharsets;

/** UTF-8 of text that came from outside. */
final class Utf8 {
    private Utf8() {}

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** {@code text} with U+FFFD for every surrogate without its partner, which no UTF-8 can carry. */
    static String wellFormed(String text) {
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                if (!isPair(text, i)) {
                    return repair(text);
                }
                i++;
            }
            i++;
        }
        return text;
    }

    private static String repair(String text) {
        StringBuilder repaired = new StringBuilder(text);
        for (int i = 0; i < text.length(); i++) {
            if (isPair(text, i)) {
                i++;
            } else if (Character.isSurrogate(text.charAt(i))) {
                repaired.setCharAt(i, '\uFFFD');
            }
        }
        return repaired.toString();
    }

    private static boolean isPair(String text, int at) {
        return at + 1 < text.length() && Character.isSurrogatePair(text.charAt(at), text.charAt(at + 1));
    }

    /** How many bytes at the end of {@code bytes[0, length)} begin a character that is not complete yet, 0 to 3. */
    static int incompleteTail(byte[] bytes, int length) {
        for (int back = 1; back <= Math.min(3, length); back++) {
            int lead = bytes[length - back] & 0xFF;
            if (lead < 0x80) {
                return 0;
            }
            if (lead >= 0xC0) {
                int expected = lead >= 0xF5 || lead < 0xC2 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
                if (back >= expected) {
                    return 0;
                }
                return back == 1 || canFollow(lead, bytes[length - back + 1] & 0xFF) ? back : 0;
            }
        }
        return 0;
    }

    /** The second byte decides whether a sequence is overlong, a surrogate or beyond U+10FFFF (Unicode standard, table 3-7). */
    private static boolean canFollow(int lead, int second) {
        return switch (lead) {
            case 0xE0 -> second >= 0xA0;
            case 0xED -> second <= 0x9F;
            case 0xF0 -> second >= 0x90;
            case 0xF4 -> second <= 0x8F;
            default -> true;
        };
    }
}
