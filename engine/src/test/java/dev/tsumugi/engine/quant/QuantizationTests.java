package dev.tsumugi.engine.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizationTests {
    private static SafetensorsFile golden;

    @BeforeAll
    static void open() {
        golden = SafetensorsFile.open(Golden.path("gguf/blocks.safetensors"));
    }

    @AfterAll
    static void close() {
        golden.close();
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"U8", "I8", "I32", "I64", "F32"},
            mode = EnumSource.Mode.EXCLUDE)
    void every_block_type_gives_the_recorded_values(DType dtype) {
        Tensor raw = golden.tensor(dtype + ".raw").orElseThrow();
        Tensor matrix = new Tensor(dtype, new Shape(4, 512), raw.memory(), raw.offset());
        float[] expected = Golden.floats(golden.tensor(dtype + ".dequantized").orElseThrow());
        float[] x = Golden.floats(golden.tensor("x").orElseThrow());
        float[] timesX = Golden.floats(golden.tensor(dtype + ".times_x").orElseThrow());

        float[] values = new float[512];
        for (int row = 0; row < 4; row++) {
            Dequantization.row(matrix, row, values, 0);
            double product = 0;
            for (int k = 0; k < 512; k++) {
                float wanted = expected[row * 512 + k];
                assertThat(values[k]).as("row %d value %d", row, k).isCloseTo(wanted, within(Math.ulp(wanted)));
                product += (double) values[k] * x[k];
            }
            assertThat(product).isCloseTo(timesX[row], within(1e-5 * Math.max(1, Math.abs(timesX[row]))));
        }
        assertThat(Dequantization.supports(dtype)).isTrue();
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q4_0", "Q4_1", "Q8_0"})
    void quantizing_gives_the_recorded_bytes(DType dtype) {
        float[] source = Golden.floats(golden.tensor("source").orElseThrow());
        byte[] expected = golden.tensor(dtype + ".raw").orElseThrow().segment().toArray(ValueLayout.JAVA_BYTE);

        assertThat(Quantization.toBlocks(dtype, source)).isEqualTo(expected);
    }

    @Test
    void types_without_real_numbers_and_cut_blocks_are_refused() {
        assertThatThrownBy(() -> Dequantization.toFloats(DType.I32, new byte[4], new float[1], 0, 1))
                .hasMessageContaining("no real numbers");
        assertThatThrownBy(() -> Dequantization.toFloats(DType.Q4_0, new byte[18], new float[32], 0, 31))
                .hasMessageContaining("whole number");
        assertThatThrownBy(() -> Quantization.toBlocks(DType.Q6_K, new float[256]))
                .hasMessageContaining("not supported");
    }
}
