package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The linear layers of a model, those that read one activation as one matrix: queries, keys and values; the attention's output; the
 * feed-forward block's way in, and its way out. Within such a group outputs have an order of their own: heads one behind another, each as in
 * Hugging Face checkpoints.
 */
final class DecoderShape {
    /** The groups of a layer, in the order of the forward pass. */
    static final int ATTENTION_IN = 0;

    static final int ATTENTION_OUT = 1;
    static final int MLP_IN = 2;
    static final int MLP_OUT = 3;
    static final int GROUPS = 4;

    /**
     * One linear layer, or the whole of a fused one.
     *
     * @param name as in Hugging Face checkpoints, without {@code .weight}
     * @param outputs N
     * @param order [N] which row of the Hugging Face checkpoint each output of the group is; null: its own
     * @param fileOrder [N] which row of the model's file each output of the group is; null: its own
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Module(String name, int outputs, int @Nullable [] order, int @Nullable [] fileOrder) {}

    /**
     * @param inputs K
     * @param attentionInput whether it makes queries, keys and values
     */
    record Group(int inputs, boolean attentionInput, List<Module> modules) {
        int outputs() {
            return modules.stream().mapToInt(Module::outputs).sum();
        }
    }

    private final ModelConfig config;
    private final List<Group> layerGroups = new ArrayList<>();
    private final Group head;

    DecoderShape(ModelConfig config, RopeLayout ropeLayout) {
        this.config = config;
        for (int i = 0; i < config.layers(); i++) {
            layerGroups.addAll(
                    switch (config.family()) {
                        case LLAMA -> llama("model.layers." + i + ".", config, ropeLayout);
                        case GPT_NEOX -> gptNeox("gpt_neox.layers." + i + ".", config);
                    });
        }
        String name = config.family() == ModelConfig.Family.LLAMA ? "lm_head" : "embed_out";
        head = new Group(config.hiddenSize(), false, List.of(new Module(name, config.vocabularySize(), null, null)));
    }

    private static List<Group> llama(String layer, ModelConfig config, RopeLayout ropeLayout) {
        int hidden = config.hiddenSize();
        int queries = config.heads() * config.headSize();
        int keys = config.keyValueHeads() * config.headSize();
        int intermediate = config.intermediateSize();
        return List.of(
                new Group(
                        hidden,
                        true,
                        List.of(
                                rotated(layer + "self_attn.q_proj", queries, config, ropeLayout),
                                rotated(layer + "self_attn.k_proj", keys, config, ropeLayout),
                                new Module(layer + "self_attn.v_proj", keys, null, null))),
                new Group(queries, false, List.of(new Module(layer + "self_attn.o_proj", hidden, null, null))),
                new Group(
                        hidden,
                        false,
                        List.of(
                                new Module(layer + "mlp.gate_proj", intermediate, null, null),
                                new Module(layer + "mlp.up_proj", intermediate, null, null))),
                new Group(intermediate, false, List.of(new Module(layer + "mlp.down_proj", hidden, null, null))));
    }

    /** Where a file's rope turns neighbours, the two halves of each head are interleaved in it. */
    private static Module rotated(String name, int outputs, ModelConfig config, RopeLayout ropeLayout) {
        if (ropeLayout == RopeLayout.HALVES) {
            return new Module(name, outputs, null, null);
        }
        int d = config.headSize();
        int[] fileOrder = new int[outputs];
        Arrays.setAll(fileOrder, n -> {
            int within = n % d;
            return n - within + within % (d / 2) * 2 + within / (d / 2);
        });
        return new Module(name, outputs, null, fileOrder);
    }

    private static List<Group> gptNeox(String layer, ModelConfig config) {
        int hidden = config.hiddenSize();
        int intermediate = config.intermediateSize();
        int d = config.headSize();
        int heads = config.heads() * d;
        int[] order = new int[3 * heads];
        Arrays.setAll(order, n -> (n % heads / d * 3 + n / heads) * d + n % d);
        return List.of(
                new Group(
                        hidden,
                        true,
                        List.of(new Module(layer + "attention.query_key_value", order.length, order, order))),
                new Group(heads, false, List.of(new Module(layer + "attention.dense", hidden, null, null))),
                new Group(hidden, false, List.of(new Module(layer + "mlp.dense_h_to_4h", intermediate, null, null))),
                new Group(intermediate, false, List.of(new Module(layer + "mlp.dense_4h_to_h", hidden, null, null))));
    }

    int layers() {
        return config.layers();
    }

    Group group(int layer, int group) {
        return layerGroups.get(layer * GROUPS + group);
    }

    Group head() {
        return head;
    }

    /** Groups of all layers in the order of the forward pass, and the head. */
    List<Group> all() {
        List<Group> all = new ArrayList<>(layerGroups);
        all.add(head);
        return all;
    }

    /**
     * Whether the settings adapt this layer.
     *
     * @param module of this shape
     */
    boolean targets(TrainingSettings settings, Module module) {
        return settings.targets().stream().anyMatch(target -> matches(target, module));
    }

    private boolean matches(String target, Module module) {
        return target.equals(TrainingSettings.ALL_LINEAR)
                ? !head.modules().contains(module)
                : module.name().equals(target) || module.name().endsWith("." + target);
    }

    /** @throws TrainingRefusedException when a target names no layer */
    void requireTargets(TrainingSettings settings) {
        for (String target : settings.targets()) {
            if (all().stream().flatMap(g -> g.modules().stream()).noneMatch(m -> matches(target, m))) {
                List<String> names = new ArrayList<>();
                names.add(TrainingSettings.ALL_LINEAR);
                for (int g = 0; g < GROUPS; g++) {
                    group(0, g)
                            .modules()
                            .forEach(m -> names.add(m.name().substring(m.name().lastIndexOf('.') + 1)));
                }
                head.modules().forEach(m -> names.add(m.name()));
                throw new TrainingRefusedException(
                        TrainingRefusedException.Reason.SETTINGS,
                        "the model has no linear layer '" + target + "'; targets are " + String.join(", ", names));
            }
        }
    }

    /** Numbers that training changes: {@code rank * (N + K)} for each adapted layer. */
    long trainable(TrainingSettings settings) {
        return all().stream()
                .mapToLong(group -> group.modules().stream()
                        .filter(module -> targets(settings, module))
                        .mapToLong(module -> (long) settings.rank() * (module.outputs() + group.inputs()))
                        .sum())
                .sum();
    }
}
