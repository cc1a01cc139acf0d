package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.tensor.Tensor;
import java.util.Optional;

/**
 * Configuration and weights of one model on disk, whatever the format. Tensors point into mapped files and are valid until {@link #close}.
 */
public interface ModelFiles extends AutoCloseable {

    ModelConfig config();

    /**
     * A weight by its Hugging Face name ({@code model.layers.0.self_attn.q_proj.weight}, {@code gpt_neox.embed_in.weight}, ...), in the type it
     * has on disk; matrices are [N outputs, K inputs].
     *
     * <p>One name is our own: {@value #ROPE_FREQUENCY_FACTORS}, F32 [R/2], by which each inverse rope frequency is divided ({@code
     * rope_freqs.weight} of GGUF files). Where it is present, {@link ModelConfig#ropeScaling} is absent.
     */
    Optional<Tensor> tensor(String name);

    String ROPE_FREQUENCY_FACTORS = "rope_frequency_factors";

    /** How the rows of the query and key matrices are stored. */
    RopeLayout ropeLayout();

    /** Says that most of the files has been read: the system may have their memory, and reads again what is used. */
    void unload();

    @Override
    void close();
}
