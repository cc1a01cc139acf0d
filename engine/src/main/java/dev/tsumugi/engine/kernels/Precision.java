package dev.tsumugi.engine.kernels;

/** How closely a CPU backend follows the reference where it may trade accuracy for speed. */
public enum Precision {
    /** Activations stay fp32 everywhere; results differ from the reference only by the order of summation. */
    EXACT,
    /** Activations are rounded to 8 bits per block of 32 where the weights have 4 bits and the rows are few, as llama.cpp does; how
     * many share the pass then shows in the last digits. */
    FAST
}
