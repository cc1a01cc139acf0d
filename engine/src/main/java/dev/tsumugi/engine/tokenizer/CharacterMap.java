package dev.tsumugi.engine.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.text.BreakIterator;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The table of replacements that SentencePiece compiles into a model ({@code precompiled_charsmap}): a double-array trie over UTF-8 bytes
 * whose leaves point at zero-terminated strings. Applied as Hugging Face tokenizers do it: to a whole grapheme of fewer than six bytes,
 * otherwise to each of its characters, and the shortest key that matches wins.
 */
final class CharacterMap {
    private static final int LONGEST_GRAPHEME = 5;

    private final int[] units;
    private final byte[] replacements;

    /** @throws IllegalArgumentException when the sizes inside do not fit {@code compiled} */
    CharacterMap(byte[] compiled) {
        ByteBuffer buffer = ByteBuffer.wrap(compiled).order(ByteOrder.LITTLE_ENDIAN);
        int trieBytes = compiled.length < 4 ? -1 : buffer.getInt();
        if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes > buffer.remaining()) {
            throw new IllegalArgumentException("precompiled_charsmap: a trie of " + trieBytes + " bytes in a table of "
                    + compiled.length + " bytes");
        }
        units = new int[trieBytes / 4];
        buffer.asIntBuffer().get(units);
        replacements = new byte[buffer.remaining() - trieBytes];
        buffer.get(4 + trieBytes, replacements);
    }

    String apply(String text) {
        StringBuilder mapped = new StringBuilder(text.length());
        BreakIterator graphemes = BreakIterator.getCharacterInstance(Locale.ROOT);
        graphemes.setText(text);
        int from = graphemes.first();
        for (int to = graphemes.next(); to != BreakIterator.DONE; from = to, to = graphemes.next()) {
            byte[] grapheme = Utf8.bytes(text.substring(from, to));
            String whole = grapheme.length <= LONGEST_GRAPHEME ? replacement(grapheme) : null;
            if (whole != null) {
                mapped.append(whole);
                continue;
            }
            for (int i = from; i < to; ) {
                int width = Character.charCount(text.codePointAt(i));
                String character = text.substring(i, i + width);
                String replaced = replacement(Utf8.bytes(character));
                mapped.append(replaced == null ? character : replaced);
                i += width;
            }
        }
        return mapped.toString();
    }

    /** What stands for the shortest key that {@code key} begins with. */
    private @Nullable String replacement(byte[] key) {
        int node = offset(units[0]);
        for (byte b : key) {
            int label = b & 0xFF;
            node ^= label;
            if (label == 0 || node < 0 || node >= units.length) {
                return null;
            }
            int unit = units[node];
            if ((unit & 0x800000FF) != label) {
                return null;
            }
            node ^= offset(unit);
            boolean leaf = (unit >>> 8 & 1) == 1;
            if (leaf && node >= 0 && node < units.length) {
                return string(units[node] & 0x7FFFFFFF);
            }
        }
        return null;
    }

    private static int offset(int unit) {
        return (unit >>> 10) << ((unit & 1 << 9) >>> 6);
    }

    private @Nullable String string(int from) {
        if (from >= replacements.length) {
            return null;
        }
        int to = from;
        while (to < replacements.length && replacements[to] != 0) {
            to++;
        }
        return new String(replacements, from, to - from, StandardCharsets.UTF_8);
    }
}
