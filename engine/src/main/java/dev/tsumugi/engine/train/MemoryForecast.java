package dev.tsumugi.engine.train;

/**
 * Memory that training will take, in bytes by part.
 *
 * @param base frozen weights, packed for both directions
 * @param adapters low-rank matrices, their gradients and their copies
 * @param optimizer its moments
 * @param activations what the backward pass needs of the forward pass, and its own buffers
 * @param logits of the tokens that are computed at once
 * @param program Java and native libraries, about
 * @param computesTwice whether layers are computed again in the backward pass, so that their activations need not be kept
 */
public record MemoryForecast(
        long base, long adapters, long optimizer, long activations, long logits, long program, boolean computesTwice) {

    public long total() {
        return base + adapters + optimizer + activations + logits + program;
    }

    /** @throws TrainingRefusedException with the numbers when it does not fit */
    public void requireWithin(long bytes) {
        if (total() > bytes) {
            throw new TrainingRefusedException(
                    TrainingRefusedException.Reason.MEMORY,
                    "training needs about " + mib(total()) + " MiB and may take " + mib(bytes) + ": base weights "
                            + mib(base) + ", adapters " + mib(adapters) + ", optimizer " + mib(optimizer)
                            + ", activations " + mib(activations) + ", logits " + mib(logits) + ", program "
                            + mib(program) + "; train with fewer tokens in a micro-batch, or a smaller model");
        }
    }

    private static long mib(long bytes) {
        return bytes + (1 << 20) - 1 >> 20;
    }
}
