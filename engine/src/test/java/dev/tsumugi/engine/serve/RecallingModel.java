package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.kernels.Draw;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.model.KvCache;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.LowRankPair;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.OutputRows;
import dev.tsumugi.engine.tensor.Shape;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * A language model that keeps each token itself in the cache where others keep its key and value, and whose next token is a function of all
 * tokens it finds there. A wrong block, a block shared wrongly or overwritten too early gives another token.
 */
final class RecallingModel implements LanguageModel {
    private final ModelConfig config;
    private final int period;
    private volatile Runnable beforeStep = () -> {};

    /** What was drawn for tokens at a position, by a backend that draws. */
    final Map<Integer, Double> uniforms = new ConcurrentHashMap<>();

    RecallingModel(int vocabulary, int contextLength) {
        this(vocabulary, contextLength, 0);
    }

    /** @param period mostly says what it read or said so many tokens before; 0: never */
    RecallingModel(int vocabulary, int contextLength, int period) {
        this.period = period;
        config = new ModelConfig(
                ModelConfig.Family.LLAMA,
                "recalling",
                vocabulary,
                8,
                1,
                1,
                1,
                8,
                8,
                1e-5f,
                10000,
                8,
                null,
                0,
                contextLength,
                true,
                false,
                ModelConfig.Activation.SILU);
    }

    /** Called on the engine's thread before each forward pass. */
    void beforeStep(Runnable action) {
        beforeStep = action;
    }

    /** What this model says after {@code tokens}, computed without any cache. */
    int after(int[] tokens, int length) {
        int hash = 17;
        for (int i = 0; i < length; i++) {
            hash = hash * 31 + tokens[i] * 7 + i;
        }
        int mixed = hash ^ (hash >>> 15);
        if (period > 0 && length >= period && mixed % 8 != 0) {
            return tokens[length - period];
        }
        return Math.floorMod(mixed, config.vocabularySize());
    }

    int[] answer(int[] prompt, int count) {
        int[] tokens = Arrays.copyOf(prompt, prompt.length + count);
        for (int i = prompt.length; i < tokens.length; i++) {
            tokens[i] = after(tokens, i);
        }
        return Arrays.copyOfRange(tokens, prompt.length, tokens.length);
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public KvCache newCache(int blocks, int blockTokens) {
        return new TokenCache(new int[blocks * blockTokens], blockTokens);
    }

    @Override
    public long cacheBlockBytes(int blockTokens) {
        return blockTokens * 4L;
    }

    @Override
    public int alikeRows() {
        return Integer.MAX_VALUE;
    }

    @Override
    public boolean forward(Batch batch, KvCache cache, OutputRows outputs, BooleanSupplier abandoned) {
        beforeStep.run();
        if (abandoned.getAsBoolean()) {
            return false;
        }
        TokenCache memory = (TokenCache) cache;
        for (int row = 0; row < batch.size(); row++) {
            int[] table = batch.blockTables()[batch.sequences()[row]];
            memory.tokens[memory.slot(table, batch.positions()[row])] = batch.tokens()[row];
        }
        for (int output = 0; output < batch.outputs().length; output++) {
            int row = batch.outputs()[output];
            int[] table = batch.blockTables()[batch.sequences()[row]];
            int[] seen = new int[batch.positions()[row] + 1];
            for (int position = 0; position < seen.length; position++) {
                seen[position] = memory.tokens[memory.slot(table, position)];
            }
            int next = after(seen, seen.length);
            if (outputs.hasOnlyLargest(output)) {
                outputs.setLargest(output, next, 5);
                continue;
            }
            Draw draw = outputs.draw(output);
            if (draw != null) {
                uniforms.put(seen.length, draw.uniform());
            }
            int from = outputs.firstLogit(output);
            Arrays.fill(outputs.logits(), from, from + outputs.vocabulary(), 0);
            outputs.logits()[from + next] = 5;
        }
        return true;
    }

    @Override
    public Map<String, Shape> adaptableModules() {
        return Map.of();
    }

    @Override
    public LowRankUpdates prepareAdapter(Map<String, LowRankPair> pairs) {
        throw new IllegalArgumentException("nothing here can be adapted");
    }

    @Override
    public void close() {}

    private record TokenCache(int[] tokens, int blockTokens) implements KvCache {
        int slot(int[] table, int position) {
            return table[position / blockTokens] * blockTokens + position % blockTokens;
        }

        @Override
        public int blocks() {
            return tokens.length / blockTokens;
        }

        @Override
        public void close() {}
    }
}
