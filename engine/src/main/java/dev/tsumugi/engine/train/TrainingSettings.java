package dev.tsumugi.engine.train;

import java.util.List;

/**
 * What is trained, and how. All values are checked; {@link #defaults} suit a small model and some hundred examples.
 *
 * @param rank of every adapter
 * @param alpha an adapter's scale is {@code alpha / rank}, or {@code alpha / sqrt(rank)} where {@code rankStabilized}
 * @param rankStabilized rsLoRA, arXiv 2312.03732
 * @param dropout of what goes into an adapter; 0: none
 * @param targets {@value #ALL_LINEAR} (all but the head), names of linear layers, or their last parts ({@code q_proj}, {@code lm_head})
 * @param base what the frozen weights are computed from
 * @param learningRate at its peak
 * @param warmUpSteps steps until the peak; the first has rate 0 if there are any
 * @param weightDecay of AdamW
 * @param clipNorm gradients are shortened to this norm; 0: never
 * @param labelSmoothing part of the loss that asks for all tokens alike
 * @param microBatchTokens tokens that are computed at once, at most; longer sequences are left out. Memory grows with it.
 * @param gradientAccumulation micro-batches of one step
 * @param packing several sequences in a micro-batch, none of which sees another, as many as fit; otherwise one
 * @param epochs times that every sequence is seen
 * @param maxSteps ends training before the last epoch does; 0: no such end
 * @param evaluateEverySteps 0: after each epoch
 * @param patience evaluations without a better one after which training ends; 0: never
 * @param seed of the first adapter weights, the order of the sequences, and dropout
 */
public record TrainingSettings(
        int rank,
        double alpha,
        boolean rankStabilized,
        double dropout,
        List<String> targets,
        BaseWeights base,
        OptimizerKind optimizer,
        double learningRate,
        Schedule schedule,
        int warmUpSteps,
        double weightDecay,
        double clipNorm,
        double labelSmoothing,
        int microBatchTokens,
        int gradientAccumulation,
        boolean packing,
        int epochs,
        int maxSteps,
        int evaluateEverySteps,
        int patience,
        long seed) {

    /** The target that means every linear layer but the head. */
    public static final String ALL_LINEAR = "all-linear";

    /** What the frozen weights are computed from. */
    public enum BaseWeights {
        /** The file's own values, as the engine serves them. */
        SERVED,
        /** The file's values rounded to NF4 with double quantization, as bitsandbytes rounds them (QLoRA, arXiv 2305.14314). */
        NF4
    }

    /** AdamW, arXiv 1711.05101. */
    public enum OptimizerKind {
        ADAMW,
        /** With moments in blocks of 8 bits (arXiv 2110.02861) in a mapped file, whose pages may leave memory. */
        PAGED_ADAMW_8BIT
    }

    /** How the learning rate falls behind the warm-up. */
    public enum Schedule {
        LINEAR,
        COSINE,
        /** Of power 1, to 1e-7. */
        POLYNOMIAL
    }

    /** @throws TrainingRefusedException for a value out of its range */
    public TrainingSettings {
        targets = List.copyOf(targets);
        require(rank >= 1 && rank <= 1024, "rank", rank, "1 to 1024");
        require(alpha > 0 && alpha <= 1e6, "alpha", alpha, "above 0, at most 1000000");
        require(dropout >= 0 && dropout <= 0.9, "dropout", dropout, "0 to 0.9");
        require(!targets.isEmpty() && targets.stream().noneMatch(String::isBlank), "targets", targets, "some names");
        require(learningRate > 0 && learningRate <= 1, "learning rate", learningRate, "above 0, at most 1");
        require(warmUpSteps >= 0, "warm-up steps", warmUpSteps, "0 or more");
        require(weightDecay >= 0 && weightDecay <= 1, "weight decay", weightDecay, "0 to 1");
        require(clipNorm >= 0 && Double.isFinite(clipNorm), "clip norm", clipNorm, "0 or more");
        require(labelSmoothing >= 0 && labelSmoothing < 1, "label smoothing", labelSmoothing, "0 to below 1");
        require(
                microBatchTokens >= 8 && microBatchTokens <= 1 << 16,
                "micro-batch tokens",
                microBatchTokens,
                "8 to 65536");
        require(
                gradientAccumulation >= 1 && gradientAccumulation <= 1 << 16,
                "gradient accumulation",
                gradientAccumulation,
                "1 to 65536");
        require(epochs >= 1 && epochs <= 10_000, "epochs", epochs, "1 to 10000");
        require(maxSteps >= 0, "steps", maxSteps, "0 or more");
        require(evaluateEverySteps >= 0, "steps between evaluations", evaluateEverySteps, "0 or more");
        require(patience >= 0, "patience", patience, "0 or more");
    }

    private static void require(boolean sound, String name, Object value, String range) {
        if (!sound) {
            throw new TrainingRefusedException(
                    TrainingRefusedException.Reason.SETTINGS, name + " is " + value + "; it must be " + range);
        }
    }

    /** Rank 8 and alpha 16 on all linear layers of the served base, AdamW at 2e-4, cosine behind 10 steps of warm-up, 3 epochs. */
    public static TrainingSettings defaults() {
        return new Builder().build();
    }

    /** What an adapter's product is multiplied by. */
    public double scale() {
        return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
    }

    /** These settings, to be changed. */
    public Builder toBuilder() {
        Builder b = new Builder();
        b.rank = rank;
        b.alpha = alpha;
        b.rankStabilized = rankStabilized;
        b.dropout = dropout;
        b.targets = targets;
        b.base = base;
        b.optimizer = optimizer;
        b.learningRate = learningRate;
        b.schedule = schedule;
        b.warmUpSteps = warmUpSteps;
        b.weightDecay = weightDecay;
        b.clipNorm = clipNorm;
        b.labelSmoothing = labelSmoothing;
        b.microBatchTokens = microBatchTokens;
        b.gradientAccumulation = gradientAccumulation;
        b.packing = packing;
        b.epochs = epochs;
        b.maxSteps = maxSteps;
        b.evaluateEverySteps = evaluateEverySteps;
        b.patience = patience;
        b.seed = seed;
        return b;
    }

    /** Settings under way; what is not set keeps the default. */
    public static final class Builder {
        private int rank = 8;
        private double alpha = 16;
        private boolean rankStabilized;
        private double dropout;
        private List<String> targets = List.of(ALL_LINEAR);
        private BaseWeights base = BaseWeights.SERVED;
        private OptimizerKind optimizer = OptimizerKind.ADAMW;
        private double learningRate = 2e-4;
        private Schedule schedule = Schedule.COSINE;
        private int warmUpSteps = 10;
        private double weightDecay = 0.01;
        private double clipNorm = 1;
        private double labelSmoothing;
        private int microBatchTokens = 1024;
        private int gradientAccumulation = 4;
        private boolean packing = true;
        private int epochs = 3;
        private int maxSteps;
        private int evaluateEverySteps;
        private int patience;
        private long seed = 1;

        public Builder rank(int value) {
            rank = value;
            return this;
        }

        public Builder alpha(double value) {
            alpha = value;
            return this;
        }

        public Builder rankStabilized(boolean value) {
            rankStabilized = value;
            return this;
        }

        public Builder dropout(double value) {
            dropout = value;
            return this;
        }

        public Builder targets(List<String> value) {
            targets = value;
            return this;
        }

        public Builder base(BaseWeights value) {
            base = value;
            return this;
        }

        public Builder optimizer(OptimizerKind value) {
            optimizer = value;
            return this;
        }

        public Builder learningRate(double value) {
            learningRate = value;
            return this;
        }

        public Builder schedule(Schedule value) {
            schedule = value;
            return this;
        }

        public Builder warmUpSteps(int value) {
            warmUpSteps = value;
            return this;
        }

        public Builder weightDecay(double value) {
            weightDecay = value;
            return this;
        }

        public Builder clipNorm(double value) {
            clipNorm = value;
            return this;
        }

        public Builder labelSmoothing(double value) {
            labelSmoothing = value;
            return this;
        }

        public Builder microBatchTokens(int value) {
            microBatchTokens = value;
            return this;
        }

        public Builder gradientAccumulation(int value) {
            gradientAccumulation = value;
            return this;
        }

        public Builder packing(boolean value) {
            packing = value;
            return this;
        }

        public Builder epochs(int value) {
            epochs = value;
            return this;
        }

        public Builder maxSteps(int value) {
            maxSteps = value;
            return this;
        }

        public Builder evaluateEverySteps(int value) {
            evaluateEverySteps = value;
            return this;
        }

        public Builder patience(int value) {
            patience = value;
            return this;
        }

        public Builder seed(long value) {
            seed = value;
            return this;
        }

        /** @throws TrainingRefusedException for a value out of its range */
        public TrainingSettings build() {
            return new TrainingSettings(
                    rank,
                    alpha,
                    rankStabilized,
                    dropout,
                    targets,
                    base,
                    optimizer,
                    learningRate,
                    schedule,
                    warmUpSteps,
                    weightDecay,
                    clipNorm,
                    labelSmoothing,
                    microBatchTokens,
                    gradientAccumulation,
                    packing,
                    epochs,
                    maxSteps,
                    evaluateEverySteps,
                    patience,
                    seed);
        }
    }
}
