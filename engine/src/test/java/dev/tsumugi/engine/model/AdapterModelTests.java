package dev.tsumugi.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.adapter.RandomAdapters;
import dev.tsumugi.engine.files.GgufModelFiles;
import dev.tsumugi.engine.files.SafetensorsModelFiles;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.ReferenceBackend;
import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.quant.Dequantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An adapter beside the weights does what the same adapter merged into them does, in every family and file format. */
class AdapterModelTests {
    private static final int LENGTH = 23;

    private static ModelFiles open(String path) {
        return path.endsWith(".gguf")
                ? GgufModelFiles.open(Golden.path(path))
                : SafetensorsModelFiles.open(Golden.path(path + "/config.json").getParent());
    }

    private static int[][] ids(int sequences) {
        Random random = new Random(8);
        int[][] ids = new int[sequences][];
        for (int s = 0; s < sequences; s++) {
            ids[s] = random.ints(LENGTH, 0, 320).toArray();
        }
        return ids;
    }

    /** Adapters over random choices of layers, of any rank; the first over all of them. */
    private static List<SortedMap<String, LowRankPair>> adapters(LanguageModel model, int count) {
        Random random = new Random(4);
        List<SortedMap<String, LowRankPair>> adapters = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            double share = i == 0 ? 1 : random.nextDouble();
            Set<String> modules = new TreeSet<>(model.adaptableModules().keySet());
            modules.removeIf(module -> random.nextDouble() > share);
            adapters.add(RandomAdapters.pairs(
                    model.adaptableModules(), modules, 1 + random.nextInt(9), 0.2f + random.nextFloat(), i));
        }
        return adapters;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tiny-llama",
                "tiny-qwen2",
                "tiny-qwen3",
                "tiny-mistral",
                "tiny-gptneox",
                "tiny-gptneox-sequential"
            })
    void merged_weights_give_what_the_adapter_gives(String path) {
        int[][] ids = ids(1);
        try (Backend backend = new ReferenceBackend();
                LanguageModel model = LanguageModels.load(open(path), backend, DType.F32)) {
            for (SortedMap<String, LowRankPair> pairs : adapters(model, 3)) {
                float[][] merged;
                try (LanguageModel other = LanguageModels.load(new MergedFiles(open(path), pairs), backend, DType.F32);
                        Conversation conversation = new Conversation(other, 1, LENGTH, 16)) {
                    merged = conversation.feed(ids, 0, LENGTH);
                }
                try (LowRankUpdates updates = model.prepareAdapter(pairs);
                        Conversation conversation = new Conversation(model, 1, LENGTH, 16).with(updates)) {
                    assertClose(conversation.feed(ids, 0, LENGTH), merged, 1e-3f);
                }
            }
        }
    }

    /** The GGUF file keeps query and key rows in another order; its matrices are quantized, so both sides read the same numbers. */
    @ParameterizedTest
    @CsvSource({"gguf/tiny-llama.gguf,reference", "gguf/tiny-llama-mixed.gguf,vector"})
    void an_adapter_over_a_gguf_file_does_what_it_does_over_the_same_weights_in_checkpoint_order(
            String path, String backendName) {
        int[][] ids = ids(1);
        boolean vector = backendName.equals("vector");
        try (Backend backend = vector ? new VectorBackend(2, Precision.EXACT) : new ReferenceBackend();
                LanguageModel gguf = LanguageModels.load(open(path), backend, DType.F32);
                LanguageModel plain = LanguageModels.load(new CheckpointOrder(open(path)), backend, DType.F32)) {
            assertThat(gguf.adaptableModules()).isEqualTo(plain.adaptableModules());
            for (SortedMap<String, LowRankPair> pairs : adapters(gguf, 3)) {
                try (LowRankUpdates one = gguf.prepareAdapter(pairs);
                        LowRankUpdates other = plain.prepareAdapter(pairs);
                        Conversation first = new Conversation(gguf, 1, LENGTH, 16).with(one);
                        Conversation second = new Conversation(plain, 1, LENGTH, 16).with(other);
                        Conversation bare = new Conversation(gguf, 1, LENGTH, 16)) {
                    float[][] expected = second.feed(ids, 0, LENGTH);
                    assertClose(first.feed(ids, 0, LENGTH), expected, 1e-3f);
                    assertThat(bare.feed(ids, 0, LENGTH)[LENGTH - 1]).isNotEqualTo(expected[LENGTH - 1]);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny-llama", "tiny-qwen3", "tiny-gptneox", "gguf/tiny-llama-mixed.gguf"})
    void a_token_gets_the_same_bits_alone_in_parts_and_beside_other_adapters(String path) {
        int[][] ids = ids(5);
        try (Backend backend = new VectorBackend(2, Precision.EXACT);
                LanguageModel model = LanguageModels.load(open(path), backend, DType.F32)) {
            List<LowRankUpdates> adapters = new ArrayList<>();
            adapters(model, 3).forEach(pairs -> adapters.add(model.prepareAdapter(pairs)));
            LowRankUpdates[] ofSequences = {adapters.get(0), null, adapters.get(1), adapters.get(0), adapters.get(2)};
            float[][] together;
            try (Conversation conversation = new Conversation(model, 5, LENGTH, 16).with(ofSequences)) {
                together = conversation.feed(ids, 0, LENGTH);
            }
            for (int s = 0; s < 5; s++) {
                int[][] alone = {ids[s]};
                try (Conversation conversation = new Conversation(model, 1, LENGTH, 16).with(ofSequences[s])) {
                    for (int from = 0; from < LENGTH; from += from % 3 + 1) {
                        int count = Math.min(from % 3 + 1, LENGTH - from);
                        float[][] logits = conversation.feed(alone, from, count);
                        for (int i = 0; i < count; i++) {
                            assertThat(logits[i])
                                    .as("sequence %d token %d", s, from + i)
                                    .containsExactly(together[s * LENGTH + from + i]);
                        }
                    }
                }
            }
            adapters.forEach(LowRankUpdates::close);
        }
    }

    @Test
    void layers_and_shapes_that_the_model_does_not_have_are_refused_by_name() {
        try (Backend backend = new ReferenceBackend();
                LanguageModel model = LanguageModels.load(open("tiny-llama"), backend, DType.F32)) {
            assertThat(model.adaptableModules()).hasSize(15);
            Tensor a = RandomAdapters.matrix(new Random(), 2, 64, 1);
            Tensor b = RandomAdapters.matrix(new Random(), 63, 2, 1);
            assertThatThrownBy(() -> model.prepareAdapter(Map.of("lm_hat", new LowRankPair(a, b, 1))))
                    .hasMessageContaining("no linear layer lm_hat");
            String name = "model.layers.1.self_attn.q_proj";
            assertThatThrownBy(() -> model.prepareAdapter(Map.of(name, new LowRankPair(a, b, 1))))
                    .hasMessageContaining(name + " has shape [64, 64]")
                    .hasMessageContaining("B [63, 2]");
        }
    }

    private static void assertClose(float[][] actual, float[][] expected, float tolerance) {
        for (int t = 0; t < expected.length; t++) {
            for (int v = 0; v < expected[t].length; v++) {
                assertThat(actual[t][v]).as("token %d logit %d", t, v).isCloseTo(expected[t][v], offset(tolerance));
            }
        }
    }

    /** Files of a model with other values in their matrices. */
    private abstract static class ChangedFiles implements ModelFiles {
        final ModelFiles files;

        ChangedFiles(ModelFiles files) {
            this.files = files;
        }

        abstract void change(String name, float[] values, int rows, int columns);

        @Override
        public ModelConfig config() {
            return files.config();
        }

        @Override
        public Optional<Tensor> tensor(String name) {
            Optional<Tensor> source = files.tensor(name);
            // A tied head becomes a matrix of its own, which an adapter may change without the embedding.
            if (source.isEmpty() && (name.equals("lm_head.weight") || name.equals("embed_out.weight"))) {
                source = files.tensor(
                        name.equals("lm_head.weight") ? "model.embed_tokens.weight" : "gpt_neox.embed_in.weight");
            }
            return source.map(tensor -> {
                if (tensor.shape().rank() != 2) {
                    return tensor;
                }
                int rows = (int) tensor.shape().get(0);
                int columns = (int) tensor.shape().get(1);
                float[] values = new float[rows * columns];
                for (int r = 0; r < rows; r++) {
                    Dequantization.row(tensor, r, values, r * columns);
                }
                change(name, values, rows, columns);
                return new Tensor(DType.F32, tensor.shape(), new HostMemory(MemorySegment.ofArray(values)), 0);
            });
        }

        @Override
        public RopeLayout ropeLayout() {
            return files.ropeLayout();
        }

        @Override
        public void unload() {
            files.unload();
        }

        @Override
        public void close() {
            files.close();
        }
    }

    /** {@code W + scale * B A}. */
    private static final class MergedFiles extends ChangedFiles {
        private final Map<String, LowRankPair> pairs;

        MergedFiles(ModelFiles files, Map<String, LowRankPair> pairs) {
            super(files);
            this.pairs = pairs;
        }

        @Override
        void change(String name, float[] values, int rows, int columns) {
            LowRankPair pair = pairs.get(name.substring(0, name.length() - ".weight".length()));
            if (pair == null) {
                return;
            }
            float[] a = Golden.floats(pair.a());
            float[] b = Golden.floats(pair.b());
            int rank = a.length / columns;
            for (int n = 0; n < rows; n++) {
                for (int k = 0; k < columns; k++) {
                    double sum = 0;
                    for (int r = 0; r < rank; r++) {
                        sum += (double) b[n * rank + r] * a[r * columns + k];
                    }
                    values[n * columns + k] += (float) (pair.scale() * sum);
                }
            }
        }
    }

    /** A GGUF file's weights with the halves of each query and key head put back one behind the other. */
    private static final class CheckpointOrder extends ChangedFiles {
        CheckpointOrder(ModelFiles files) {
            super(files);
        }

        @Override
        public RopeLayout ropeLayout() {
            return RopeLayout.HALVES;
        }

        @Override
        void change(String name, float[] values, int rows, int columns) {
            if (!name.contains("q_proj") && !name.contains("k_proj")) {
                return;
            }
            int d = config().headSize();
            float[] source = values.clone();
            for (int n = 0; n < rows; n++) {
                int i = n % d;
                int from = n - i + (i < d / 2 ? 2 * i : 2 * (i - d / 2) + 1);
                System.arraycopy(source, from * columns, values, n * columns, columns);
            }
        }
    }
}
