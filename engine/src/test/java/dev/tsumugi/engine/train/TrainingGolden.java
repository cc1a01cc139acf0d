package dev.tsumugi.engine.train;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Recorded training runs. */
final class TrainingGolden {
    private static final int NO_TARGET = -100;

    private TrainingGolden() {}

    static Path model(String name) {
        return Golden.path(name + "/config.json").getParent();
    }

    static SafetensorsFile open(String name) {
        return SafetensorsFile.open(Golden.path(name));
    }

    /** A training on the recorded adapter. */
    static LoraTraining open(String model, String adapter, TrainingSettings settings, Backend backend) {
        LoraTraining training = LoraTraining.open(model(model), settings, TrainingResources.defaults(), backend);
        try (PeftAdapter recorded = PeftAdapter.open(
                Golden.path("lora/" + adapter + "/adapter_config.json").getParent())) {
            training.parameters().load(recorded.pairs());
        }
        return training;
    }

    static TrainingSettings settings(String adapter) {
        TrainingSettings.Builder builder =
                TrainingSettings.defaults().toBuilder().microBatchTokens(64);
        return switch (adapter) {
            case "llama-r8" ->
                builder.rank(8).alpha(32).targets(List.of("q_proj", "v_proj")).build();
            case "llama-r4-rslora" ->
                builder.rank(4).alpha(16).rankStabilized(true).build();
            case "gptneox-r8" ->
                builder.rank(8).alpha(32).targets(List.of("query_key_value")).build();
            default -> throw new IllegalArgumentException(adapter);
        };
    }

    /** Rows of padded token ids, their mask and their labels as sequences. */
    static List<TrainingSequence> sequences(int[] ids, int[] mask, int[] labels, int length) {
        List<TrainingSequence> sequences = new ArrayList<>();
        for (int from = 0; from < ids.length; from += length) {
            int end = from;
            while (end < from + length && mask[end] != 0) {
                end++;
            }
            boolean[] targets = new boolean[end - from];
            for (int t = 0; t < targets.length; t++) {
                targets[t] = labels[from + t] != NO_TARGET;
            }
            sequences.add(new TrainingSequence("row " + from / length, Arrays.copyOfRange(ids, from, end), targets));
        }
        return sequences;
    }

    static MicroBatch batch(SafetensorsFile file) {
        int length = (int) file.tensor("input_ids").orElseThrow().shape().get(1);
        return MicroBatch.of(
                sequences(ints(file, "input_ids"), ints(file, "attention_mask"), ints(file, "labels"), length));
    }

    static int[] ints(SafetensorsFile file, String name) {
        Tensor tensor = file.tensor(name).orElseThrow();
        return tensor.dtype() == DType.I32
                ? tensor.segment().toArray(ValueLayout.JAVA_INT_UNALIGNED)
                : Golden.ids(tensor);
    }

    static float[] floats(SafetensorsFile file, String name) {
        return Golden.floats(file.tensor(name).orElseThrow());
    }
}
