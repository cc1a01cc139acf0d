package dev.tsumugi.engine.files;

import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelConfig.RopeScaling;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Bounds of a believable model, so that no size from a file leads to an overflow or an absurd allocation later. */
final class ConfigLimits {
    private static final String ADVICE = "Use the configuration as published with the model";

    private ConfigLimits() {}

    /** @throws ModelFileException naming the first value that cannot be */
    static ModelConfig check(Path path, ModelConfig c) {
        within(path, "vocabulary size", c.vocabularySize(), 1 << 24);
        within(path, "hidden size", c.hiddenSize(), 1 << 18);
        within(path, "number of layers", c.layers(), 1 << 12);
        within(path, "number of attention heads", c.heads(), 1 << 12);
        within(path, "number of key/value heads", c.keyValueHeads(), 1 << 12);
        within(path, "head size", c.headSize(), 1 << 12);
        within(path, "intermediate size", c.intermediateSize(), 1 << 22);
        within(path, "context length", c.contextLength(), 1 << 27);
        require(
                path,
                c.heads() % c.keyValueHeads() == 0,
                c.heads() + " attention heads cannot share " + c.keyValueHeads() + " key/value heads");
        require(path, c.headSize() % 2 == 0, "head size " + c.headSize() + " is odd");
        require(
                path,
                c.rotaryDimensions() >= 0 && c.rotaryDimensions() <= c.headSize() && c.rotaryDimensions() % 2 == 0,
                c.rotaryDimensions() + " rotary dimensions do not fit a head of " + c.headSize());
        require(
                path,
                c.slidingWindow() >= 0 && c.slidingWindow() <= 1 << 27,
                "sliding window " + c.slidingWindow() + " is out of range");
        positive(path, "normalization epsilon", c.normEpsilon());
        positive(path, "rope theta", c.ropeTheta());
        @Nullable RopeScaling scaling = c.ropeScaling();
        if (scaling != null) {
            positive(path, "rope scaling factor", scaling.factor());
            if (scaling.type().equals("llama3")) {
                positive(path, "low_freq_factor", scaling.lowFrequencyFactor());
                positive(path, "high_freq_factor", scaling.highFrequencyFactor());
                within(path, "original context of rope scaling", scaling.originalContext(), 1 << 27);
                require(
                        path,
                        scaling.highFrequencyFactor() > scaling.lowFrequencyFactor(),
                        "high_freq_factor is not above low_freq_factor");
            }
        }
        return c;
    }

    private static void within(Path path, String what, int value, int limit) {
        require(path, value >= 1 && value <= limit, what + " " + value + " is not between 1 and " + limit);
    }

    private static void positive(Path path, String what, float value) {
        require(path, value > 0 && Float.isFinite(value), what + " " + value + " is no positive number");
    }

    private static void require(Path path, boolean condition, String problem) {
        if (!condition) {
            throw new ModelFileException(path, problem, ADVICE);
        }
    }
}
