package dev.tsumugi.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelConfig.Activation;
import dev.tsumugi.engine.model.ModelConfig.Family;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How much is trained of which model, as its authors published it. */
class DecoderShapeTests {
    private static final ModelConfig RINNA_4B = model(Family.GPT_NEOX, 65536, 2816, 36, 22, 128, 11264);
    private static final ModelConfig OPEN_LLAMA_3B = model(Family.LLAMA, 32000, 3200, 26, 32, 100, 8640);

    private static ModelConfig model(
            Family family, int vocabulary, int hidden, int layers, int heads, int headSize, int intermediate) {
        return new ModelConfig(
                family,
                "model",
                vocabulary,
                hidden,
                layers,
                heads,
                heads,
                headSize,
                intermediate,
                1e-5f,
                10_000,
                headSize,
                null,
                0,
                2048,
                false,
                false,
                Activation.SILU);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {"8; q_proj,v_proj; 2662400", "16; q_proj,v_proj; 5324800", "8; all-linear,lm_head; 12994560"})
    void openLlama3bHasThePublishedNumberOfTrainableParameters(int rank, String targets, long expected) {
        assertThat(new DecoderShape(OPEN_LLAMA_3B, RopeLayout.HALVES).trainable(settings(rank, targets)))
                .isEqualTo(expected);
    }

    @Test
    void rinna4bHasThePublishedNumberOfTrainableParameters() {
        assertThat(new DecoderShape(RINNA_4B, RopeLayout.HALVES).trainable(settings(8, "query_key_value")))
                .isEqualTo(3_244_032);
    }

    private static TrainingSettings settings(int rank, String targets) {
        return TrainingSettings.defaults().toBuilder()
                .rank(rank)
                .targets(List.of(targets.split(",")))
                .build();
    }

    @Test
    void targetsThatNameNoLayerAreRefusedWithThoseThatDo() {
        DecoderShape shape = new DecoderShape(OPEN_LLAMA_3B, RopeLayout.HALVES);
        assertThatThrownBy(() -> shape.requireTargets(settings(8, "q_proj,query")))
                .isInstanceOf(TrainingRefusedException.class)
                .hasMessageContaining("'query'")
                .hasMessageContaining("q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head");
    }
}
