package dev.tsumugi.engine;

import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;

/** Recorded references under {@code src/test/resources/golden}. */
public final class Golden {
    private Golden() {}

    /** @param name below the golden folder, such as {@code tiny-llama/model.safetensors} */
    public static Path path(String name) {
        URL url = Golden.class.getResource("/golden/" + name);
        if (url == null) {
            throw new IllegalArgumentException("no golden file " + name);
        }
        try {
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(name, e);
        }
    }

    /** The values of an F32 tensor. */
    public static float[] floats(Tensor tensor) {
        if (tensor.dtype() != DType.F32) {
            throw new IllegalArgumentException("not F32 but " + tensor.dtype());
        }
        return tensor.segment().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }

    /** The values of an I64 tensor of token ids. */
    public static int[] ids(Tensor tensor) {
        if (tensor.dtype() != DType.I64) {
            throw new IllegalArgumentException("not I64 but " + tensor.dtype());
        }
        long[] values = tensor.segment().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
        int[] ids = new int[values.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = Math.toIntExact(values[i]);
        }
        return ids;
    }
}
