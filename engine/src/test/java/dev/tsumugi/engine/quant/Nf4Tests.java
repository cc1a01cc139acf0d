package dev.tsumugi.engine.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** NF4 and 8-bit codes against the bytes of bitsandbytes. */
class Nf4Tests {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "64x128-fp32",
                "64x128-bf16",
                "96x64-fp32",
                "96x64-bf16",
                "odd-3x50-fp32",
                "odd-3x50-bf16",
                "extreme-4x64-fp32",
                "extreme-4x64-bf16"
            })
    void matricesHaveTheBytesOfBitsandbytes(String name) {
        try (SafetensorsFile file = SafetensorsFile.open(Golden.path("nf4/" + name + ".safetensors"))) {
            float[] weight = values(file, "weight");
            Nf4 once = Nf4.quantize(weight, false);
            assertThat(once.packed()).isEqualTo(bytes(file, "single.packed"));
            assertThat(once.scales()).isEqualTo(values(file, "single.absmax"));
            assertThat(once.dequantize()).isEqualTo(values(file, "single.dequantized.fp32"));

            Nf4 twice = Nf4.quantize(weight, true);
            assertThat(twice.packed()).isEqualTo(bytes(file, "double.packed"));
            assertThat(twice.scaleCodes()).isEqualTo(bytes(file, "double.absmax"));
            assertThat(twice.offset()).isCloseTo(values(file, "double.offset")[0], offset(1e-6f * twice.offset()));
            close(twice.nestedScales(), values(file, "double.nested_absmax"));
            close(twice.scales(), values(file, "double.absmax.fp32"));
            close(twice.dequantize(), values(file, "double.dequantized.fp32"));
        }
    }

    /** To a unit in the last place or two: the mean's order of summation is not laid down. */
    private static void close(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        float largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], offset(1e-6f * largest));
        }
    }

    @Test
    void codesAreThoseOfBitsandbytesAndTheNearest() {
        try (SafetensorsFile file = SafetensorsFile.open(Golden.path("nf4/blockwise8.safetensors"))) {
            assertThat(BlockwiseInt8.signed().codes()).isEqualTo(values(file, "dynamic_signed"));
            assertThat(BlockwiseInt8.unsigned().codes()).isEqualTo(values(file, "dynamic_unsigned"));
            float[] x = values(file, "x");
            float[] squares = new float[x.length];
            for (int i = 0; i < x.length; i++) {
                squares[i] = x[i] * x[i];
            }
            nearest(BlockwiseInt8.signed(), x, file, "signed");
            nearest(BlockwiseInt8.unsigned(), squares, file, "unsigned");
        }
    }

    private static void nearest(BlockwiseInt8 map, float[] x, SafetensorsFile file, String name) {
        byte[] expected = bytes(file, name + ".q");
        for (int from = 0; from < x.length; from += BlockwiseInt8.BLOCK) {
            int end = Math.min(x.length, from + BlockwiseInt8.BLOCK);
            byte[] codes = new byte[end - from];
            float scale = map.quantize(Arrays.copyOfRange(x, from, end), codes);
            assertThat(codes).isEqualTo(Arrays.copyOfRange(expected, from, end));
            assertThat(scale).isEqualTo(values(file, name + ".absmax")[from / BlockwiseInt8.BLOCK]);
        }
    }

    private static float[] values(SafetensorsFile file, String name) {
        Tensor tensor = file.tensor(name).orElseThrow();
        float[] values = new float[(int) tensor.shape().elements()];
        Dequantization.toFloats(tensor.dtype(), tensor.segment(), 0, values, 0, values.length);
        return values;
    }

    private static byte[] bytes(SafetensorsFile file, String name) {
        Tensor tensor = file.tensor(name).orElseThrow();
        assertThat(tensor.dtype()).isEqualTo(DType.U8);
        return tensor.segment().toArray(ValueLayout.JAVA_BYTE);
    }
}
