package dev.tsumugi.engine.tokenizer;

import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Tokens that are found in the text itself, before anything splits it: markers of a chat, runs of blanks, and the like. */
final class AddedTokens {
    private final List<AddedToken> tokens;
    private final CharTrie trie;
    private final BitSet firstUnits = new BitSet();

    /**
     * @param normalized it is searched in normalized text instead of the text as it came
     * @param leftStrip takes the white space before it along
     * @param rightStrip takes the white space behind it along
     * @param singleWord only where no letter or digit touches it
     */
    record AddedToken(
            int id,
            String text,
            boolean special,
            boolean normalized,
            boolean leftStrip,
            boolean rightStrip,
            boolean singleWord) {}

    /** An occurrence; {@code start} and {@code end} include stripped white space. */
    record Match(int id, int start, int end) {}

    AddedTokens(List<AddedToken> tokens) {
        this.tokens = tokens;
        trie = new CharTrie(tokens.size() * 12);
        for (int i = 0; i < tokens.size(); i++) {
            String text = tokens.get(i).text();
            if (!text.isEmpty()) {
                trie.put(text, i);
                firstUnits.set(text.charAt(0));
            }
        }
    }

    /** The first match at or behind {@code from}, the longest one there. */
    @Nullable
    Match find(String text, int from) {
        for (int at = from; at < text.length(); at++) {
            if (!firstUnits.get(text.charAt(at))) {
                continue;
            }
            int found = -1;
            int foundEnd = at;
            int node = CharTrie.ROOT;
            for (int end = at; end < text.length(); ) {
                node = trie.child(node, text.charAt(end++));
                if (node == CharTrie.NONE) {
                    break;
                }
                if (trie.value(node) >= 0) {
                    found = trie.value(node);
                    foundEnd = end;
                }
            }
            if (found >= 0 && fits(tokens.get(found), text, at, foundEnd)) {
                return stripped(tokens.get(found), text, from, at, foundEnd);
            }
        }
        return null;
    }

    private static boolean fits(AddedToken token, String text, int start, int end) {
        return !token.singleWord()
                || (start == 0 || !Character.isLetterOrDigit(text.codePointBefore(start)))
                        && (end == text.length() || !Character.isLetterOrDigit(text.codePointAt(end)));
    }

    private static Match stripped(AddedToken token, String text, int from, int start, int end) {
        while (token.leftStrip() && start > from && WhiteSpace.is(text.charAt(start - 1))) {
            start--;
        }
        while (token.rightStrip() && end < text.length() && WhiteSpace.is(text.charAt(end))) {
            end++;
        }
        return new Match(token.id(), start, end);
    }
}
