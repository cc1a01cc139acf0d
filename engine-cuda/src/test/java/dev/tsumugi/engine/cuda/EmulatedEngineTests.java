package dev.tsumugi.engine.cuda;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsModelFiles;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.LanguageModels;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.EngineLimits;
import dev.tsumugi.engine.serve.Generation;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Answers of an engine whose tokens are drawn by the GPU's kernels. */
class EmulatedEngineTests {
    private static final int TOKENS = 20;

    @Test
    void answersAtSeveralTemperaturesHaveTheTokensThatTheProcessorDraws() throws Exception {
        List<int[]> expected = answers(new VectorBackend(1, Precision.EXACT));
        assertThat(expected).allMatch(tokens -> tokens.length == TOKENS);
        assertThat(answers(Emulation.backend(Precision.EXACT))).containsExactlyElementsOf(expected);
    }

    /** Greedy, drawn and with a penalty, beside each other; the prompt repeats itself, so that tokens are guessed and verified. */
    private static List<int[]> answers(Backend backend) throws Exception {
        int[] prompt = IntStream.range(0, 30).map(i -> 40 + i % 6).toArray();
        try (backend;
                LanguageModel model = LanguageModels.load(
                        SafetensorsModelFiles.open(
                                Golden.path("tiny-llama/config.json").getParent()),
                        backend,
                        DType.F32);
                Engine engine = Engine.start(
                        model,
                        GoldenFiles.tokenizer("tiny-llama"),
                        Set.of(),
                        new EngineLimits(128, 64, 16, 64, 8, 64))) {
            List<Generation> running = new ArrayList<>();
            for (SamplingSettings sampling : List.of(
                    SamplingSettings.greedy(),
                    SamplingSettings.atTemperature(0.8).withTopP(0.9),
                    SamplingSettings.atTemperature(1.2).withTopK(40),
                    SamplingSettings.atTemperature(0.7).withPenalties(1.1, 0, 0))) {
                running.add(engine.submit(GenerationRequest.of(prompt, TOKENS).withSampling(sampling.withSeed(5))));
            }
            List<int[]> tokens = new ArrayList<>();
            for (Generation generation : running) {
                tokens.add(generation.result().get(60, SECONDS).tokens());
            }
            return tokens;
        }
    }
}
