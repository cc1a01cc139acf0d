package dev.tsumugi.trainer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.adapter.PeftWriter;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.engine.serve.ModelOptions;
import dev.tsumugi.platform.grounding.RefusalBias;
import dev.tsumugi.trainer.examples.Example;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RefusalsTests {
    private static final Path MODEL = Path.of("../engine/src/test/resources/golden/tiny-llama");
    private static final Path R8 = Path.of("src/test/resources/lora/llama-r8");
    private static final Example EXAMPLE = new Example(
            "1",
            "How long is the Kiso river?",
            List.of("The Kiso river is 229 kilometres long."),
            List.of("rivers"),
            List.of(),
            List.of(),
            "229 kilometres",
            true);

    @TempDir
    private Path adapter;

    private String answer(Evaluation evaluation, double bias) throws Exception {
        PeftWriter.annotate(adapter, RefusalBias.metadata(bias));
        return evaluation
                .measure(adapter, List.of(EXAMPLE), (done, total) -> {})
                .answers()
                .getFirst()
                .answer();
    }

    @Test
    void an_adapter_refuses_with_a_large_bias_and_not_with_one_below_what_it_leans_to_say() throws Exception {
        for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            Files.copy(R8.resolve(file), adapter.resolve(file));
        }
        try (LoadedModel model = LoadedModel.open(
                        MODEL, ModelOptions.defaults().withBackend("vector").withPrecision(Precision.EXACT));
                Evaluation evaluation = new Evaluation(model)) {
            double margin = evaluation
                    .lean(adapter, List.of(EXAMPLE), (done, total) -> {})
                    .getFirst()
                    .margin();
            assertThat(margin).isNegative();
            String own = answer(evaluation, 0);
            assertThat(answer(evaluation, -margin - 0.01)).isEqualTo(own);
            assertThat(answer(evaluation, 29)).isNotEqualTo(own).startsWith("T");
        }
    }
}
