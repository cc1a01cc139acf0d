package dev.tsumugi.engine.files;

import dev.tsumugi.engine.tensor.DType;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** ggml's codes of tensor types. */
final class GgufTensorType {
    private static final Map<Integer, DType> SUPPORTED = Map.ofEntries(
            Map.entry(0, DType.F32),
            Map.entry(1, DType.F16),
            Map.entry(2, DType.Q4_0),
            Map.entry(3, DType.Q4_1),
            Map.entry(6, DType.Q5_0),
            Map.entry(7, DType.Q5_1),
            Map.entry(8, DType.Q8_0),
            Map.entry(10, DType.Q2_K),
            Map.entry(11, DType.Q3_K),
            Map.entry(12, DType.Q4_K),
            Map.entry(13, DType.Q5_K),
            Map.entry(14, DType.Q6_K),
            Map.entry(24, DType.I8),
            Map.entry(26, DType.I32),
            Map.entry(27, DType.I64),
            Map.entry(30, DType.BF16));

    /** Types that exist and are not supported, so that the error can name them. */
    private static final Map<Integer, String> OTHERS = Map.ofEntries(
            Map.entry(9, "Q8_1"),
            Map.entry(15, "Q8_K"),
            Map.entry(16, "IQ2_XXS"),
            Map.entry(17, "IQ2_XS"),
            Map.entry(18, "IQ3_XXS"),
            Map.entry(19, "IQ1_S"),
            Map.entry(20, "IQ4_NL"),
            Map.entry(21, "IQ3_S"),
            Map.entry(22, "IQ2_S"),
            Map.entry(23, "IQ4_XS"),
            Map.entry(25, "I16"),
            Map.entry(28, "F64"),
            Map.entry(29, "IQ1_M"),
            Map.entry(34, "TQ1_0"),
            Map.entry(35, "TQ2_0"),
            Map.entry(39, "MXFP4"));

    private GgufTensorType() {}

    static DType dtype(Path path, String what, int code) {
        @Nullable DType dtype = SUPPORTED.get(code);
        if (dtype != null) {
            return dtype;
        }
        String name = OTHERS.get(code);
        throw new ModelFileException(
                path,
                what + " has the type " + (name == null ? "code " + Integer.toUnsignedString(code) : name)
                        + ", which the engine does not read",
                "Use a Q4_0, Q4_1, Q4_K_M, Q5_K_M, Q6_K, Q8_0, BF16 or F16 file of the same model");
    }
}
