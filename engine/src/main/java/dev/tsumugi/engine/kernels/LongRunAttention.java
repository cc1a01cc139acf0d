package dev.tsumugi.engine.kernels;

/**
 * Attention of many neighbouring tokens of one sequence, for backends that multiply matrices in bfloat16 faster than the Vector API does in fp32.
 * {@link VectorBackend} hands it the long runs of a batch whose cache is in bfloat16; callers answer for sizes: addresses are not checked.
 */
public interface LongRunAttention {

    /** Shorter runs stay with the Vector API; all do where this cannot read blocks of that size. */
    int leastTokens(int blockTokens);

    /** As {@link Kernels#attention} for one run of tokens. */
    void attend(Run run);

    /**
     * Letters as in {@link Kernels}.
     *
     * @param out address of fp32 [tokens, H, D]
     * @param queries address of fp32 [tokens, H, D]
     * @param firstPosition of the first token in its sequence
     * @param window tokens a query sees, itself included; 0: all
     */
    record Run(
            long out,
            long queries,
            int tokens,
            int firstPosition,
            int heads,
            int keyValueHeads,
            int headSize,
            int window,
            float scale,
            int blockTokens,
            Blocks blocks) {
        /** Positions that the run sees: all before it, and itself. */
        public int positions() {
            return firstPosition + tokens;
        }
    }

    /** The cache blocks of a run's sequence. */
    interface Blocks {
        /**
         * Copies what the cache holds of one key/value head in one block, from position {@code block * blockTokens} on, as bfloat16.
         *
         * @param keys address of [D][...], one column a position, rows {@code keyStride} elements apart
         * @param values address of [blockTokens][D]
         */
        void copy(int head, int block, long keys, long keyStride, long values);
    }
}
