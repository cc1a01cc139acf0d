package dev.tsumugi.bench;

/** What may limit a kernel, each measured on this machine. */
enum Peak {
    MEMORY("memory read", "GB/s", "of memory bandwidth"),
    FP32("fp32 FMA", "GFLOP/s", "of fp32 peak"),
    BF16("bf16 GEMM", "GFLOP/s", "of bf16 peak"),
    INT8("int8 GEMM", "GOP/s", "of int8 peak");

    final String title;
    final String unit;
    /** What a kernel's part of it is called. */
    final String part;

    Peak(String title, String unit, String part) {
        this.title = title;
        this.unit = unit;
        this.part = part;
    }
}
