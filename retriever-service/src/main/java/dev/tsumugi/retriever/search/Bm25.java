package dev.tsumugi.retriever.search;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * BM25 with k1 = 1.2 and b = 0.75 (Robertson, Zaragoza 2009), any of the terms: a chunk's score is the sum over its terms of
 * {@code idf f (k1 + 1) / (f + k1 (1 - b + b length / average))}. Here and not in SQL, because to group tens of thousands of postings by chunk
 * takes PostgreSQL four times as long as to read them.
 */
final class Bm25 {
    /** A posting as the index hands it out, big-endian: chunk (64 bits), frequency of the term in it, its length in terms (32 bits each). */
    static final int POSTING_BYTES = 16;

    private static final double K1 = 1.2;
    private static final double B = 0.75;
    private static final Comparator<Match> WORST_FIRST =
            Comparator.comparingDouble(Match::score).thenComparing(Match::chunkId, Comparator.reverseOrder());

    private final double chunks;
    private final double averageLength;
    /** Open addressing; no chunk has the id 0. Twice as many places as chunks at least. */
    private long[] ids = new long[1024];

    private double[] scores = new double[ids.length];
    private int size;

    record Match(long chunkId, double score) {}

    /**
     * @param chunks of the tenant
     * @param terms in all of them
     */
    Bm25(long chunks, long terms) {
        this.chunks = Math.max(chunks, 1);
        this.averageLength = Math.max(terms, 1) / this.chunks;
    }

    /** All postings of one term that the caller may read; their number is its document frequency. */
    void addTerm(byte[]... postings) {
        long frequency = 0;
        for (byte[] some : postings) {
            frequency += some.length / POSTING_BYTES;
        }
        double idf = Math.log(1 + Math.max(chunks - frequency + 0.5, 0.5) / (frequency + 0.5));
        for (byte[] some : postings) {
            addPostings(ByteBuffer.wrap(some), idf * (K1 + 1));
        }
    }

    private void addPostings(ByteBuffer postings, double weight) {
        double lengthNorm = K1 * B / averageLength;
        while (postings.hasRemaining()) {
            long id = postings.getLong();
            int frequency = postings.getInt();
            int length = postings.getInt();
            int place = placeOf(id);
            scores[place] += weight * frequency / (frequency + K1 * (1 - B) + lengthNorm * length);
        }
    }

    private int placeOf(long id) {
        if (2 * size >= ids.length) {
            grow();
        }
        int place = find(id);
        if (ids[place] == 0) {
            ids[place] = id;
            size++;
        }
        return place;
    }

    /** Where {@code id} is, or the free place where it would be. */
    private int find(long id) {
        int place = Long.hashCode(id * 0x9E3779B97F4A7C15L) & ids.length - 1;
        while (ids[place] != id && ids[place] != 0) {
            place = place + 1 & ids.length - 1;
        }
        return place;
    }

    private void grow() {
        long[] oldIds = ids;
        double[] oldScores = scores;
        ids = new long[2 * oldIds.length];
        scores = new double[ids.length];
        for (int i = 0; i < oldIds.length; i++) {
            if (oldIds[i] != 0) {
                int place = find(oldIds[i]);
                ids[place] = oldIds[i];
                scores[place] = oldScores[i];
            }
        }
    }

    /** The {@code count} best chunks or all that there are, best first, of equals the one with the smaller id. */
    List<Match> best(int count) {
        PriorityQueue<Match> best = new PriorityQueue<>(WORST_FIRST);
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] == 0
                    || best.size() == count && scores[i] < best.element().score()) {
                continue;
            }
            best.add(new Match(ids[i], scores[i]));
            if (best.size() > count) {
                best.remove();
            }
        }
        List<Match> sorted = new ArrayList<>(best);
        sorted.sort(WORST_FIRST.reversed());
        return sorted;
    }
}
