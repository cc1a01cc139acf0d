package dev.tsumugi.engine.constrain;

import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The tokens of one tokenizer as constraints see them: those that are text, in two tries, and the characters that they can write.
 *
 * <p>The plain tokens, whole characters that may stand in a JSON string as they are, are kept apart: inside a string all of them are
 * allowed, which a few steps of the automaton prove, so that the walk over nine tenths of the vocabulary is spared. (The idea is that of
 * llguidance's slices.)
 */
final class Vocabulary {
    /** Tokens of more characters are not worth their proof. */
    private static final int LONGEST_PLAIN = 16;

    static final CharSet UNESCAPED =
            CharSet.ofRanges(0, 0x1F, '"', '"', '\\', '\\').complement();

    private final Tokenizer tokenizer;
    /** [256] bytes that begin a plain character: every unescaped character that begins so can be written byte by byte. */
    private final boolean[] leads = new boolean[256];

    private final TokenTrie plain;
    private final long[] plainWords;
    private final TokenTrie others;
    private final CharSet writable;

    Vocabulary(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        int size = tokenizer.vocabularySize();
        boolean[] single = new boolean[256];
        List<TokenTrie.Token> tokens = new ArrayList<>(size);
        for (int id = 0; id < size; id++) {
            byte[] bytes = tokenizer.isSpecial(id) ? new byte[0] : tokenizer.bytesOf(id);
            if (bytes.length == 1) {
                single[bytes[0] & 0xFF] = true;
            }
            if (bytes.length > 0) {
                tokens.add(new TokenTrie.Token(id, bytes));
            }
        }
        boolean finishesCharacters = true;
        for (int b = 0x80; b < 0xC0; b++) {
            finishesCharacters &= single[b];
        }
        for (int b = 0x20; b <= 0xF4; b++) {
            boolean unescaped = b < 0x80 && b != '"' && b != '\\';
            leads[b] = single[b] && (unescaped || b >= 0xC2 && finishesCharacters);
        }
        List<TokenTrie.Token> plainTokens = new ArrayList<>(size);
        List<TokenTrie.Token> otherTokens = new ArrayList<>();
        List<Integer> wholeCharacters = new ArrayList<>();
        plainWords = new long[Math.ceilDiv(size, Long.SIZE)];
        for (TokenTrie.Token token : tokens) {
            int[] characters = characters(token.bytes());
            if (isPlain(token.bytes(), characters.length)) {
                plainTokens.add(token);
                plainWords[token.id() >> 6] |= 1L << token.id();
            } else if (characters.length > 0 || finishesCharacters) {
                // A part of a character whose other part no token has would be a dead end.
                otherTokens.add(token);
            }
            if (characters.length == 1) {
                wholeCharacters.add(characters[0]);
            }
        }
        plain = new TokenTrie(plainTokens, size);
        others = new TokenTrie(otherTokens, size);
        writable = writable(single, finishesCharacters, wholeCharacters);
    }

    /** Code points of {@code bytes}; none when they are not whole characters. */
    private static int[] characters(byte[] bytes) {
        boolean ascii = true;
        for (byte b : bytes) {
            ascii &= b >= 0;
        }
        if (ascii) {
            int[] characters = new int[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                characters[i] = bytes[i];
            }
            return characters;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .codePoints()
                    .toArray();
        } catch (CharacterCodingException e) {
            return new int[0];
        }
    }

    private boolean isPlain(byte[] bytes, int characters) {
        for (byte b : bytes) {
            boolean continuation = (b & 0xC0) == 0x80;
            if (!continuation && !leads[b & 0xFF]) {
                return false;
            }
        }
        return characters > 0 && characters <= LONGEST_PLAIN;
    }

    /** Characters that are a token, or all of whose bytes are. */
    private static CharSet writable(boolean[] single, boolean finishesCharacters, List<Integer> wholeCharacters) {
        int[] pairs = new int[wholeCharacters.size() * 2];
        Arrays.setAll(pairs, i -> wholeCharacters.get(i / 2));
        CharSet writable = CharSet.ofRanges(pairs);
        if (!finishesCharacters) {
            return writable;
        }
        for (int lead = 0xC2; lead <= 0xF4; lead++) {
            if (single[lead]) {
                int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
                int tail = 6 * (length - 1);
                int payload = lead & (0x7F >> length);
                int first = payload << tail;
                int last = Math.min(first + (1 << tail) - 1, Character.MAX_CODE_POINT);
                int least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
                writable = writable.union(CharSet.range(Math.max(first, least), last));
            }
        }
        return writable;
    }

    Tokenizer tokenizer() {
        return tokenizer;
    }

    /** Characters that the tokens can write from any point of a text on which they can be at all. */
    CharSet writable() {
        return writable;
    }

    TokenMask allowedFrom(Automaton automaton, ConstraintState state) {
        long[] words;
        if (readsAllPlainText(automaton, state)) {
            words = plainWords.clone();
        } else {
            words = new long[plainWords.length];
            plain.allow(automaton, state, words);
        }
        others.allow(automaton, state, words);
        return new TokenMask(words);
    }

    /** Whether every sequence of up to {@link #LONGEST_PLAIN} plain characters can be read. */
    private boolean readsAllPlainText(Automaton automaton, ConstraintState start) {
        // One look at a letter settles most states that are no string.
        return !automaton.step(start, 'a').isDead() && new PlainText(automaton, leads).isReadFrom(start, LONGEST_PLAIN);
    }
}
