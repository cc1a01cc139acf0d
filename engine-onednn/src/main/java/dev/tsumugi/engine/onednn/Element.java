package dev.tsumugi.engine.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_s32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_s8;
import static org.bytedeco.dnnl.global.dnnl.dnnl_u8;

/** What both sides of a product are rounded to before they are multiplied, and what it is summed in. */
enum Element {
    F32(dnnl_f32, dnnl_f32, dnnl_f32, 4),
    BF16(dnnl_bf16, dnnl_bf16, dnnl_f32, 2),
    /** {@link dev.tsumugi.engine.kernels.RotatedInt8}. */
    INT8(dnnl_u8, dnnl_s8, dnnl_s32, 1);

    private final int input;
    private final int weights;
    private final int output;
    private final int bytes;

    Element(int input, int weights, int output, int bytes) {
        this.input = input;
        this.weights = weights;
        this.output = output;
        this.bytes = bytes;
    }

    /** oneDNN's {@code dnnl_data_type_t} of the input. */
    int input() {
        return input;
    }

    /** {@code dnnl_data_type_t} of the weights. */
    int weights() {
        return weights;
    }

    /** {@code dnnl_data_type_t} of the sums, of 4 bytes. */
    int output() {
        return output;
    }

    /** Bytes of an element of either side. */
    int bytes() {
        return bytes;
    }
}
