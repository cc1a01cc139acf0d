package dev.tsumugi.engine.kernels;

/**
 * Which two elements of a head turn together under rotary position embedding, with R rotary dimensions. It depends on how the rows of the
 * query and key matrices are stored, so it is a property of the file.
 */
public enum RopeLayout {
    /** (i, i + R/2), as in Hugging Face checkpoints and GGUF files of NeoX-style models. */
    HALVES,
    /** (2i, 2i + 1), as in GGUF files of the {@code llama} architecture, whose rows come interleaved. */
    NEIGHBOURS
}
