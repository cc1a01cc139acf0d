package dev.tsumugi.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.files.SafetensorsFile;
import dev.tsumugi.engine.files.SafetensorsModelFiles;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.tensor.DType;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Models with an adapter against what PEFT computed in fp32, alone and beside the bare model in one batch; a backend's test extends this. */
public abstract class GoldenAdapterContract {
    private static final float TOLERANCE = 2e-4f;

    /** The backend under test. */
    protected abstract Backend open();

    @ParameterizedTest
    @CsvSource({"llama-r8,tiny-llama", "llama-r4-rslora,tiny-llama", "gptneox-r8,tiny-gptneox"})
    void logitsAreThoseRecordedWithTheAdapterAndWithout(String adapterName, String modelName) {
        try (Backend backend = open();
                LanguageModel model = LanguageModels.load(
                        SafetensorsModelFiles.open(
                                Golden.path(modelName + "/config.json").getParent()),
                        backend,
                        DType.F32);
                PeftAdapter adapter = PeftAdapter.open(Golden.path("lora/" + adapterName + "/adapter_config.json")
                        .getParent());
                SafetensorsFile expected =
                        SafetensorsFile.open(Golden.path("lora/" + adapterName + "/expected.safetensors"))) {
            adapter.requireFits(model.adaptableModules());
            adapter.requireFinite();
            int[] ids = Golden.ids(expected.tensor("input_ids").orElseThrow());
            int[][] both = {Arrays.copyOf(ids, 17), Arrays.copyOfRange(ids, 17, 34)};
            float[] with = Golden.floats(expected.tensor("logits").orElseThrow());
            float[] without = Golden.floats(expected.tensor("logits.disabled").orElseThrow());
            float scaling = Golden.floats(expected.tensor("scaling").orElseThrow())[0];
            assertThat(adapter.pairs().values()).allMatch(pair -> pair.scale() == scaling);
            try (LowRankUpdates prepared = model.prepareAdapter(adapter.pairs())) {
                assertThat(prepared.byteSize()).isGreaterThanOrEqualTo(4 * adapter.elements());
                agree(model, both, with, with, prepared, prepared);
                agree(model, both, with, without, prepared, null);
                agree(model, both, without, with, null, prepared);
                agree(model, both, without, without, null, null);
                agree(model, both, without, without);
            }
        }
    }

    /** The first sequence must get the logits of {@code first}, the second those of {@code second}, in one pass and in two. */
    private static void agree(
            LanguageModel model, int[][] ids, float[] first, float[] second, LowRankUpdates... adapters) {
        float[] expected = Arrays.copyOf(first, first.length);
        System.arraycopy(second, second.length / 2, expected, second.length / 2, second.length / 2);
        try (Conversation whole = new Conversation(model, 2, 17, 5).with(adapters);
                Conversation parts = new Conversation(model, 2, 17, 5).with(adapters)) {
            assertClose(whole.feed(ids, 0, 17), expected, 0, 17);
            assertClose(parts.feed(ids, 0, 11), expected, 0, 11);
            for (int i = 11; i < 17; i++) {
                assertClose(parts.feed(ids, i, 1), expected, i, 1);
            }
        }
    }

    private static void assertClose(float[][] logits, float[] expected, int from, int count) {
        for (int s = 0; s < 2; s++) {
            for (int i = 0; i < count; i++) {
                for (int v = 0; v < 320; v++) {
                    assertThat(logits[s * count + i][v])
                            .as("sequence %d token %d logit %d", s, from + i, v)
                            .isCloseTo(expected[(s * 17 + from + i) * 320 + v], offset(TOLERANCE));
                }
            }
        }
    }
}
