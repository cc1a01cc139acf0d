package dev.tsumugi.engine.tokenizer;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Byte-pair encoding: begins with single symbols (bytes, or characters) and joins the neighbours whose merge has the lowest rank, leftmost
 * first, until none is left. Sennrich et al. 2016; with byte fallback as SentencePiece does it.
 */
final class BpeModel implements SubwordModel {
    private static final int CACHED_WORDS = 1 << 16;
    private static final int LONGEST_CACHED_WORD = 32;

    private final Map<String, Integer> vocabulary;
    private final Merges merges;
    private final Symbols symbols;
    private final boolean wholeWordsFirst;
    private final int[] byteIds;
    private final int unknownId;
    private final boolean fuseUnknown;
    private final ConcurrentHashMap<String, int[]> cache = new ConcurrentHashMap<>();

    /** What a word is made of before the first merge. */
    enum Symbols {
        /** The bytes of its UTF-8 form. */
        BYTES,
        /** Its characters; one that is not in the vocabulary becomes the unknown token. */
        CHARACTERS,
        /** Its characters; one that is not in the vocabulary becomes its bytes. */
        CHARACTERS_OR_BYTES
    }

    /**
     * @param wholeWordsFirst a word that is a token is taken whole, whatever the merges say ({@code ignore_merges})
     * @param unknownId of what no token covers; -1: left out
     * @param fuseUnknown neighbouring unknown characters become one token
     */
    BpeModel(
            Map<String, Integer> vocabulary,
            Merges merges,
            Symbols symbols,
            boolean wholeWordsFirst,
            int unknownId,
            boolean fuseUnknown) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.symbols = symbols;
        this.wholeWordsFirst = wholeWordsFirst;
        this.unknownId = unknownId;
        this.fuseUnknown = fuseUnknown;
        byteIds = new int[256];
        for (int b = 0; b < 256; b++) {
            String token = symbols == Symbols.BYTES ? String.valueOf(ByteAlphabet.characterOf(b)) : ByteToken.write(b);
            byteIds[b] = vocabulary.getOrDefault(token, -1);
        }
    }

    @Override
    public void encode(String word, IntList ids) {
        int[] cached = cache.get(word);
        if (cached != null) {
            ids.addAll(cached);
            return;
        }
        int from = ids.size();
        encodeAnew(word, ids);
        if (word.length() <= LONGEST_CACHED_WORD) {
            if (cache.size() >= CACHED_WORDS) {
                cache.clear();
            }
            cache.put(word, ids.toArray(from));
        }
    }

    private void encodeAnew(String word, IntList ids) {
        byte[] bytes = symbols == Symbols.BYTES ? Utf8.bytes(word) : new byte[0];
        if (wholeWordsFirst) {
            Integer whole = vocabulary.get(symbols == Symbols.BYTES ? ByteAlphabet.write(bytes) : word);
            if (whole != null) {
                ids.add(whole);
                return;
            }
        }
        IntList first = new IntList(word.length());
        if (symbols == Symbols.BYTES) {
            for (byte b : bytes) {
                addKnown(byteIds[b & 0xFF], first);
            }
        } else {
            addCharacters(word, first);
        }
        merge(first.toArray(), ids);
    }

    private void addCharacters(String word, IntList out) {
        boolean afterUnknown = false;
        for (int i = 0; i < word.length(); ) {
            int length = Character.charCount(word.codePointAt(i));
            String character = word.substring(i, i + length);
            i += length;
            Integer id = vocabulary.get(character);
            if (id != null) {
                out.add(id);
                afterUnknown = false;
            } else if (symbols == Symbols.CHARACTERS_OR_BYTES && addBytes(character, out)) {
                afterUnknown = false;
            } else {
                if (!(afterUnknown && fuseUnknown)) {
                    addKnown(-1, out);
                }
                afterUnknown = true;
            }
        }
    }

    private boolean addBytes(String character, IntList out) {
        byte[] bytes = Utf8.bytes(character);
        for (byte b : bytes) {
            if (byteIds[b & 0xFF] < 0) {
                return false;
            }
        }
        for (byte b : bytes) {
            out.add(byteIds[b & 0xFF]);
        }
        return true;
    }

    private void addKnown(int id, IntList out) {
        if (id >= 0) {
            out.add(id);
        } else if (unknownId >= 0) {
            out.add(unknownId);
        }
    }

    /** Symbols are a linked list over arrays; the heap holds (rank, position) and entries that a later merge made stale are passed over. */
    private void merge(int[] symbol, IntList out) {
        int n = symbol.length;
        int[] next = new int[n];
        int[] previous = new int[n];
        LongHeap candidates = new LongHeap(n);
        for (int i = 0; i < n; i++) {
            next[i] = i + 1 < n ? i + 1 : -1;
            previous[i] = i - 1;
            if (i + 1 < n) {
                offer(symbol[i], symbol[i + 1], i, candidates);
            }
        }
        while (!candidates.isEmpty()) {
            long candidate = candidates.removeSmallest();
            int at = (int) candidate;
            int right = next[at];
            if (symbol[at] < 0 || right < 0) {
                continue;
            }
            int merge = merges.find(symbol[at], symbol[right]);
            if (merge < 0 || merges.rank(merge) != (int) (candidate >>> 32)) {
                continue;
            }
            symbol[at] = merges.result(merge);
            symbol[right] = -1;
            next[at] = next[right];
            if (next[at] >= 0) {
                previous[next[at]] = at;
                offer(symbol[at], symbol[next[at]], at, candidates);
            }
            if (previous[at] >= 0) {
                offer(symbol[previous[at]], symbol[at], previous[at], candidates);
            }
        }
        for (int i = 0; i < n; i++) {
            if (symbol[i] >= 0) {
                out.add(symbol[i]);
            }
        }
    }

    private void offer(int left, int right, int position, LongHeap candidates) {
        int merge = merges.find(left, right);
        if (merge >= 0) {
            candidates.add((long) merges.rank(merge) << 32 | position);
        }
    }

    /** Which two tokens join to which, and how early. */
    static final class Merges {
        private final LongToIntMap byPair;
        private final int[] rank;
        private final int[] result;
        private int size;

        private Merges(int capacity) {
            byPair = new LongToIntMap(capacity);
            rank = new int[capacity];
            result = new int[capacity];
        }

        /**
         * Merges as written, the first the most urgent.
         *
         * @throws IllegalArgumentException when one names a token that the vocabulary lacks
         */
        static Merges ofPairs(List<String[]> pairs, Map<String, Integer> vocabulary) {
            Merges merges = new Merges(pairs.size());
            for (int i = 0; i < pairs.size(); i++) {
                String left = pairs.get(i)[0];
                String right = pairs.get(i)[1];
                Integer leftId = vocabulary.get(left);
                Integer rightId = vocabulary.get(right);
                Integer resultId = vocabulary.get(left + right);
                if (leftId == null || rightId == null || resultId == null) {
                    throw new IllegalArgumentException("merge " + i + " (" + left + " " + right
                            + ") names or makes a token that is not in the vocabulary");
                }
                merges.add(leftId, rightId, i, resultId);
            }
            return merges;
        }

        /** Every split of a piece into two pieces is a merge, as urgent as the score of the whole piece is high (SentencePiece). */
        static Merges ofScores(Map<String, Integer> pieces, float[] scores) {
            List<Map.Entry<String, Integer>> byScore = pieces.entrySet().stream()
                    .filter(e -> e.getKey().length() > 1)
                    .sorted((a, b) -> Float.compare(scores[b.getValue()], scores[a.getValue()]))
                    .toList();
            int splits = byScore.stream().mapToInt(e -> e.getKey().length() - 1).sum();
            Merges merges = new Merges(splits);
            int rank = 0;
            float before = Float.NaN;
            for (Map.Entry<String, Integer> piece : byScore) {
                float score = scores[piece.getValue()];
                rank = score == before ? rank : rank + 1;
                before = score;
                String text = piece.getKey();
                for (int cut = 1; cut < text.length(); cut++) {
                    Integer left = pieces.get(text.substring(0, cut));
                    Integer right = pieces.get(text.substring(cut));
                    if (left != null && right != null) {
                        merges.add(left, right, rank, piece.getValue());
                    }
                }
            }
            return merges;
        }

        private void add(int left, int right, int rankOfMerge, int resultId) {
            byPair.putIfAbsent((long) left << 32 | right, size);
            rank[size] = rankOfMerge;
            result[size++] = resultId;
        }

        int find(int left, int right) {
            return byPair.get((long) left << 32 | right);
        }

        int rank(int merge) {
            return rank[merge];
        }

        int result(int merge) {
            return result[merge];
        }
    }
}
