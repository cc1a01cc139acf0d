package dev.tsumugi.engine.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;

/** What both sides of a product are rounded to before they are multiplied; sums are fp32. */
enum Element {
    F32(dnnl_f32, 4),
    BF16(dnnl_bf16, 2);

    private final int code;
    private final int bytes;

    Element(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /** oneDNN's {@code dnnl_data_type_t}. */
    int code() {
        return code;
    }

    int bytes() {
        return bytes;
    }
}
