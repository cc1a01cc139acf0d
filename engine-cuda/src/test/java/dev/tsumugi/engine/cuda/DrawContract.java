package dev.tsumugi.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Draw;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.sample.Sampler;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tokens that are drawn on a device are those that the sampler draws on the processor. */
abstract class DrawContract {
    private static final int ROWS = 40;

    abstract Backend open(Precision precision);

    @ParameterizedTest(name = "{0} logits of {1} steps, temperature {2}, top-k {3}, top-p {4}, min-p {5}")
    @CsvSource({
        "1, 0, 1, 0, 1, 0",
        "1000, 0, 1, 0, 1, 0",
        "5003, 0, 0.7, 50, 1, 0",
        "3001, 0, 1.3, 0, 0.9, 0",
        "3001, 0, 0.8, 0, 1, 0.05",
        "3001, 0, 0.8, 40, 0.95, 0.02",
        "1000, 0, 0.01, 0, 0.5, 0",
        // Many logits are equal, so that borders fall among them.
        "700, 5, 1, 20, 1, 0",
        "700, 5, 1, 0, 0.6, 0",
        "700, 9, 2, 300, 0.3, 0.1",
        "700, 3, 1, 0, 1e-17, 0",
        "700, 5, 1, 0, 0.6, 1"
    })
    void tokensAreThoseOfTheSampler(int vocabulary, int steps, double temperature, int topK, double topP, double minP) {
        Random random = new Random(vocabulary + steps);
        float[] logits = new float[ROWS * vocabulary];
        for (int i = 0; i < logits.length; i++) {
            float value = (float) random.nextGaussian() * 4;
            boolean impossible = vocabulary > 1 && random.nextInt(10) == 0;
            logits[i] =
                    impossible ? Float.NEGATIVE_INFINITY : steps == 0 ? value : (float) Math.floor(value * steps / 8);
        }
        SamplingSettings settings = SamplingSettings.atTemperature(temperature)
                .withTopK(topK)
                .withTopP(topP)
                .withMinP(minP)
                .withSeed(7);
        int[] expected = new int[ROWS];
        Draw[] draws = new Draw[ROWS];
        for (int r = 0; r < ROWS; r++) {
            Sampler sampler = new Sampler(settings, 0, new int[0]);
            draws[r] = sampler.draw(r);
            expected[r] = sampler.next(logits.clone(), r * vocabulary, vocabulary, r);
        }
        try (Backend backend = open(Precision.FAST)) {
            assertThat(backend.kernels().draws()).isTrue();
            Tensor on = backend.upload(logits);
            int[] places = new int[ROWS];
            for (int round = 0; round < 2; round++) {
                backend.kernels().draw(places, draws, on, ROWS, vocabulary);
                assertThat(places).containsExactly(expected);
            }
        }
    }

    @Test
    void rowsWithoutADrawAreLeftAndUnsoundOnesAreMarked() {
        float[] logits = new float[4 * 600];
        logits[1] = Float.NaN;
        logits[700] = 50;
        Arrays.fill(logits, 1200, 1800, Float.NEGATIVE_INFINITY);
        logits[2399] = Float.POSITIVE_INFINITY;
        Draw draw = new Draw(1, 0, 1, 0, 0.5);
        int[] places = {9, 9, 9, 9};
        try (Backend backend = open(Precision.FAST)) {
            Tensor on = backend.upload(logits);
            backend.kernels().draw(places, new Draw[] {null, draw, null, null}, on, 4, 600);
            assertThat(places).containsExactly(9, 100, 9, 9);
            backend.kernels().draw(places, new Draw[] {draw, null, draw, draw}, on, 4, 600);
            assertThat(places).containsExactly(-1, 100, -1, -1);
        }
    }
}
