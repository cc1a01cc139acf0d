package dev.tsumugi.engine.model;

import org.jspecify.annotations.Nullable;

/**
 * What a model's own files say of its shape: {@code config.json} (both spellings, {@code rope_theta} and {@code rope_parameters}) or GGUF
 * metadata.
 *
 * @param family which forward pass
 * @param headSize D, not always {@code hiddenSize / heads}
 * @param rotaryDimensions how many of the D elements of a head rotate
 * @param ropeScaling absent for plain rope
 * @param slidingWindow tokens a query sees, itself included; 0: all
 * @param contextLength positions the model was trained on
 * @param tiedEmbeddings the output matrix is the embedding matrix
 */
public record ModelConfig(
        Family family,
        String name,
        int vocabularySize,
        int hiddenSize,
        int layers,
        int heads,
        int keyValueHeads,
        int headSize,
        int intermediateSize,
        float normEpsilon,
        float ropeTheta,
        int rotaryDimensions,
        @Nullable RopeScaling ropeScaling,
        int slidingWindow,
        int contextLength,
        boolean tiedEmbeddings,
        boolean parallelResidual,
        Activation activation) {

    /** Forward passes; Mistral and Qwen are members of the Llama family that differ by weights present and by window. */
    public enum Family {
        LLAMA,
        GPT_NEOX
    }

    /** GELU_ERF is the exact one, GELU_TANH its usual approximation. */
    public enum Activation {
        SILU,
        GELU_ERF,
        GELU_TANH
    }

    /** Llama 3 frequency scaling, or plain division of all frequencies ({@code linear}, with the other fields 0). */
    public record RopeScaling(
            String type, float factor, float lowFrequencyFactor, float highFrequencyFactor, int originalContext) {}
}
