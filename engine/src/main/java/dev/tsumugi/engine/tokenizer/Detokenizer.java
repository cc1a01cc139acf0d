package dev.tsumugi.engine.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Turns tokens into text one by one, for a client that reads along. It gives out complete characters only: a token that
 * ends within one waits for the rest. The pieces together equal the decoded whole. For one text, and one thread.
 */
public final class Detokenizer {
    private static final byte[] NOTHING = new byte[0];

    private final Pieces pieces;
    private final boolean skipSpecial;
    private boolean leadingSpaceDue;
    private byte[] waiting = NOTHING;

    Detokenizer(Pieces pieces, boolean skipSpecial) {
        this.pieces = pieces;
        this.skipSpecial = skipSpecial;
        leadingSpaceDue = pieces.dropLeadingSpace();
    }

    /**
     * @return the text that is complete now and was not before; empty while a character is incomplete
     * @throws IllegalArgumentException for a negative id
     */
    public String accept(int id) {
        byte[] added = pieces.of(id);
        if (skipSpecial && pieces.special().get(id) || added.length == 0) {
            return "";
        }
        byte[] all = Arrays.copyOf(waiting, waiting.length + added.length);
        System.arraycopy(added, 0, all, waiting.length, added.length);
        if (Utf8.incompleteTail(all, all.length) > 0) {
            waiting = all;
            return "";
        }
        waiting = NOTHING;
        return withoutLeadingSpace(new String(all, StandardCharsets.UTF_8));
    }

    /** @return what is left at the end: U+FFFD when the last character stayed incomplete, otherwise nothing */
    public String finish() {
        String rest = new String(waiting, StandardCharsets.UTF_8);
        waiting = NOTHING;
        return withoutLeadingSpace(rest);
    }

    private String withoutLeadingSpace(String text) {
        if (!leadingSpaceDue || text.isEmpty()) {
            return text;
        }
        leadingSpaceDue = false;
        return text.startsWith(" ") ? text.substring(1) : text;
    }
}
