package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.LowRankUpdates;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Sequences of equal length that are fed to a model together, over a cache whose blocks are dealt out crosswise. */
final class Conversation implements AutoCloseable {
    private final LanguageModel model;
    private final KvCache cache;
    private final int[][] blockTables;
    private final int sequences;
    private @Nullable LowRankUpdates[] adapters = {};
    private int length;

    Conversation(LanguageModel model, int sequences, int maxTokens, int blockTokens) {
        this.model = model;
        this.sequences = sequences;
        int blocksEach = (maxTokens + blockTokens - 1) / blockTokens;
        cache = model.newCache(sequences * blocksEach, blockTokens);
        blockTables = new int[sequences][blocksEach];
        List<Integer> free = new ArrayList<>();
        for (int i = 0; i < sequences * blocksEach; i++) {
            free.add(i % 2 == 0 ? free.size() : 0, i);
        }
        for (int i = 0; i < blocksEach; i++) {
            for (int s = 0; s < sequences; s++) {
                blockTables[s][i] = free.removeLast();
            }
        }
    }

    /** From here on the sequences run with these adapters; null: none. */
    Conversation with(@Nullable LowRankUpdates... ofSequences) {
        adapters = ofSequences;
        return this;
    }

    /**
     * Feeds {@code count} tokens more of each sequence.
     *
     * @param ids [sequences][at least count]
     * @return logits of every fed token, [sequences * count][V]
     */
    float[][] feed(int[][] ids, int from, int count) {
        int total = sequences * count;
        int[] tokens = new int[total];
        int[] positions = new int[total];
        int[] rows = new int[total];
        int[] outputs = new int[total];
        for (int s = 0; s < sequences; s++) {
            for (int i = 0; i < count; i++) {
                int t = s * count + i;
                tokens[t] = ids[s][from + i];
                positions[t] = length + i;
                rows[t] = s;
                outputs[t] = t;
            }
        }
        int vocabulary = model.config().vocabularySize();
        float[] logits = new float[total * vocabulary];
        model.forward(new Batch(tokens, positions, rows, blockTables, outputs, adapters), cache, logits);
        length += count;
        float[][] perToken = new float[total][];
        for (int t = 0; t < total; t++) {
            perToken[t] = Arrays.copyOfRange(logits, t * vocabulary, (t + 1) * vocabulary);
        }
        return perToken;
    }

    static int argmax(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }

    @Override
    public void close() {
        cache.close();
    }
}
