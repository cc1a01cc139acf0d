package dev.tsumugi.engine.tokenizer;

import dev.tsumugi.engine.tokenizer.AddedTokens.Match;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Text to token ids and back, for one model. Made by {@link TokenizerJson} or {@link GgufVocabulary}; immutable, and safe for use by many
 * threads. A surrogate without its partner counts as U+FFFD.
 */
public final class Tokenizer {
    private final Map<String, Integer> ids;
    private final AddedTokens inText;
    private final AddedTokens inPlainText;
    private final AddedTokens inNormalizedText;
    private final Normalizer normalizer;
    private final PreTokenizer preTokenizer;
    private final SubwordModel model;
    private final Pieces pieces;
    private final int[] before;
    private final int[] behind;

    /**
     * @param ids all tokens, the added ones too
     * @param before what the model expects before a text
     * @param behind and behind it
     */
    Tokenizer(
            Map<String, Integer> ids,
            List<AddedTokens.AddedToken> added,
            Normalizer normalizer,
            PreTokenizer preTokenizer,
            SubwordModel model,
            Pieces pieces,
            int[] before,
            int[] behind) {
        this.ids = ids;
        inText = new AddedTokens(added.stream().filter(t -> !t.normalized()).toList());
        inPlainText = new AddedTokens(
                added.stream().filter(t -> !t.normalized() && !t.special()).toList());
        inNormalizedText = new AddedTokens(
                added.stream().filter(AddedTokens.AddedToken::normalized).toList());
        this.normalizer = normalizer;
        this.preTokenizer = preTokenizer;
        this.model = model;
        this.pieces = pieces;
        this.before = before;
        this.behind = behind;
    }

    /** How many ids there are, the highest plus one. A model may have more rows. */
    public int vocabularySize() {
        return pieces.bytes().length;
    }

    /** Ids of {@code text}; special tokens written in it become their ids, and none is added. Use it for text that a template made. */
    public int[] encode(String text) {
        IntList out = new IntList(text.length() / 3);
        encodeAround(inText, Utf8.wellFormed(text), true, out, this::encodeNormalizing);
        return out.toArray();
    }

    /** Ids of {@code text} in which nothing counts as a special token. Use it for text from outside that must not end a turn. */
    public int[] encodePlain(String text) {
        IntList out = new IntList(text.length() / 3);
        encodeAround(inPlainText, Utf8.wellFormed(text), true, out, this::encodeNormalizing);
        return out.toArray();
    }

    /**
     * {@code text} in which no special token stands any more: a zero-width space parts its first character from the rest. For what is put
     * into a template, so that a question or a document cannot end its turn and speak for the system.
     */
    public String withoutSpecialTokens(String text) {
        StringBuilder harmless = new StringBuilder(text.length());
        int done = 0;
        for (@Nullable Match match = inText.find(text, 0); match != null; match = inText.find(text, done)) {
            int end = pieces.special().get(match.id()) ? match.start() + 1 : match.end();
            harmless.append(text, done, end);
            if (pieces.special().get(match.id())) {
                harmless.append('\u200B');
            }
            done = end;
        }
        return harmless.append(text, done, text.length()).toString();
    }

    /** As {@link #encode}, with the tokens around it that the model expects around a whole text (beginning of text, say). */
    public int[] encodeWithMarkers(String text) {
        int[] inner = encode(text);
        IntList out = new IntList(before.length + inner.length + behind.length);
        out.addAll(before);
        out.addAll(inner);
        out.addAll(behind);
        return out.toArray();
    }

    /**
     * Text of {@code tokens}, bytes that are no UTF-8 as U+FFFD.
     *
     * @param skipSpecial leaves special tokens out
     * @throws IllegalArgumentException for a negative id
     */
    public String decode(int[] tokens, boolean skipSpecial) {
        Detokenizer detokenizer = detokenizer(skipSpecial);
        StringBuilder text = new StringBuilder(tokens.length * 4);
        for (int id : tokens) {
            text.append(detokenizer.accept(id));
        }
        return text.append(detokenizer.finish()).toString();
    }

    /** A decoder for one stream of tokens. */
    public Detokenizer detokenizer(boolean skipSpecial) {
        return new Detokenizer(pieces, skipSpecial);
    }

    /** The id of exactly this token, as the vocabulary writes it. */
    public OptionalInt idOf(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    public boolean isSpecial(int id) {
        return pieces.special().get(id);
    }

    /** What {@code id} adds to a text, as UTF-8 bytes; a part of a character where the vocabulary has such tokens. */
    public byte[] bytesOf(int id) {
        return pieces.of(id).clone();
    }

    /** Whether a decoded text loses the blank with which it begins, because encoding had put it there. */
    public boolean dropsLeadingSpace() {
        return pieces.dropLeadingSpace();
    }

    private void encodeNormalizing(String segment, boolean first, IntList out) {
        encodeAround(inNormalizedText, normalizer.normalize(segment), first, out, this::encodeWords);
    }

    private void encodeWords(String segment, boolean first, IntList out) {
        for (String word : preTokenizer.split(segment, first)) {
            model.encode(word, out);
        }
    }

    /** What happens to the text between added tokens. */
    private interface Segments {
        void encode(String segment, boolean first, IntList out);
    }

    private static void encodeAround(AddedTokens added, String text, boolean first, IntList out, Segments segments) {
        int done = 0;
        for (@Nullable Match match = added.find(text, 0); match != null; match = added.find(text, done)) {
            if (match.start() > done) {
                segments.encode(text.substring(done, match.start()), first && done == 0, out);
            }
            out.add(match.id());
            done = match.end();
        }
        if (done < text.length()) {
            segments.encode(text.substring(done), first && done == 0, out);
        }
    }
}
