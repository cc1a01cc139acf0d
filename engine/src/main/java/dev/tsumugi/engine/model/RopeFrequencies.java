package dev.tsumugi.engine.model;

import dev.tsumugi.engine.model.ModelConfig.RopeScaling;

/**
 * Radians per position by which each pair of a head turns: {@code theta^(-2i/R)}, scaled as the model asks. Sources: RoFormer (arXiv
 * 2104.09864); the Llama 3.1 model card for the scaling by wavelength.
 */
public final class RopeFrequencies {
    private RopeFrequencies() {}

    /**
     * As configuration and weights of a model say it.
     *
     * @return [R/2]
     */
    public static float[] of(ModelFiles files) {
        float[] frequencies = of(files.config());
        files.tensor(ModelFiles.ROPE_FREQUENCY_FACTORS).ifPresent(tensor -> {
            float[] factors = Floats.of(tensor, frequencies.length);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= factors[i];
            }
        });
        return frequencies;
    }

    /** @return [R/2] */
    static float[] of(ModelConfig config) {
        int pairs = config.rotaryDimensions() / 2;
        float[] frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
            double frequency = Math.pow(config.ropeTheta(), -2.0 * i / config.rotaryDimensions());
            frequencies[i] = (float) scaled(frequency, config);
        }
        return frequencies;
    }

    private static double scaled(double frequency, ModelConfig config) {
        RopeScaling scaling = config.ropeScaling();
        if (scaling == null) {
            return frequency;
        }
        return switch (scaling.type()) {
            case "linear" -> frequency / scaling.factor();
            case "llama3" -> llama3(frequency, scaling);
            default ->
                throw new IllegalArgumentException("rope scaling of type '" + scaling.type()
                        + "' is not supported; supported are linear and llama3");
        };
    }

    /** Short waves stay, long ones are stretched by the factor, and those between are blended. */
    private static double llama3(double frequency, RopeScaling scaling) {
        double wavesInContext = scaling.originalContext() * frequency / (2 * Math.PI);
        double blend = (wavesInContext - scaling.lowFrequencyFactor())
                / (scaling.highFrequencyFactor() - scaling.lowFrequencyFactor());
        double kept = Math.clamp(blend, 0.0, 1.0);
        return kept * frequency + (1 - kept) * frequency / scaling.factor();
    }
}
