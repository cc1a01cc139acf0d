package dev.tsumugi.engine.tokenizer;

import java.util.Arrays;
import java.util.List;

/**
 * Unigram language model: the split whose pieces have the highest sum of log probabilities, found by Viterbi's algorithm (Kudo 2018). What no
 * piece covers becomes bytes where the vocabulary has byte tokens, or else the unknown token.
 */
final class UnigramModel implements SubwordModel {
    /** How much worse than the worst piece an uncovered character is, as SentencePiece has it. */
    private static final double UNKNOWN_PENALTY = 10;

    private final CharTrie pieces;
    private final double[] scores;
    private final int unknownId;
    private final double unknownScore;
    private final int[] byteIds = new int[256];
    private final boolean byteFallback;

    /** @param unknownId -1: an uncovered character is left out */
    UnigramModel(List<String> vocabulary, double[] scores, int unknownId, boolean byteFallback) {
        this.scores = scores;
        this.unknownId = unknownId;
        pieces = new CharTrie(vocabulary.size() * 4);
        Arrays.fill(byteIds, -1);
        double worst = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            pieces.put(vocabulary.get(id), id);
            worst = Math.min(worst, scores[id]);
            int b = ByteToken.read(vocabulary.get(id));
            if (b >= 0) {
                byteIds[b] = id;
            }
        }
        unknownScore = worst - UNKNOWN_PENALTY;
        this.byteFallback = byteFallback && Arrays.stream(byteIds).allMatch(id -> id >= 0);
    }

    @Override
    public void encode(String text, IntList ids) {
        int n = text.length();
        int[] start = new int[n + 1];
        int[] piece = new int[n + 1];
        double[] best = new double[n + 1];
        Arrays.fill(start, -1);
        for (int at = 0; at < n; ) {
            int width = Character.charCount(text.codePointAt(at));
            boolean covered = false;
            int node = CharTrie.ROOT;
            for (int end = at; end < n; ) {
                node = pieces.child(node, text.charAt(end++));
                if (node == CharTrie.NONE) {
                    break;
                }
                int id = pieces.value(node);
                if (id >= 0) {
                    covered |= end - at == width;
                    improve(at, end, id, best[at] + scores[id], start, piece, best);
                }
            }
            if (!covered) {
                improve(at, at + width, -1, best[at] + unknownScore, start, piece, best);
            }
            at += width;
        }
        int[] ends = new int[n];
        int count = 0;
        for (int end = n; end > 0; end = start[end]) {
            ends[count++] = end;
        }
        boolean afterUnknown = false;
        for (int i = count - 1; i >= 0; i--) {
            int end = ends[i];
            if (piece[end] >= 0) {
                ids.add(piece[end]);
                afterUnknown = false;
            } else if (byteFallback) {
                for (byte b : Utf8.bytes(text.substring(start[end], end))) {
                    ids.add(byteIds[b & 0xFF]);
                }
            } else {
                if (!afterUnknown && unknownId >= 0) {
                    ids.add(unknownId);
                }
                afterUnknown = true;
            }
        }
    }

    private static void improve(int from, int to, int id, double score, int[] start, int[] piece, double[] best) {
        if (start[to] < 0 || score > best[to]) {
            start[to] = from;
            piece[to] = id;
            best[to] = score;
        }
    }
}
