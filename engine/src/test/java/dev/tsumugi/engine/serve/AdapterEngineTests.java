package dev.tsumugi.engine.serve;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.engine.adapter.AdapterLimitException;
import dev.tsumugi.engine.adapter.AdapterLimits;
import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.engine.adapter.UnknownAdapterException;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.tokenizer.GoldenFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests with different adapters, and with none, on one engine. */
@Timeout(120)
class AdapterEngineTests {
    private static final Path R8 = GoldenFiles.path("lora/llama-r8");
    private static final Path R4 = GoldenFiles.path("lora/llama-r4-rslora");

    private static LoadedModel model;

    @BeforeAll
    static void open() {
        model = LoadedModel.open(
                GoldenFiles.path("tiny-llama"),
                ModelOptions.defaults().withBackend("vector").withPrecision(Precision.EXACT));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static EngineLimits limits(int blocks, int maxBatchTokens, int maxRunning) {
        return new EngineLimits(200, blocks, 16, maxBatchTokens, maxRunning, 64);
    }

    private static int[] prompt(int seed, int length) {
        return new Random(seed).ints(length, 3, 320).toArray();
    }

    private static GenerationRequest request(int[] prompt, int tokens) {
        return GenerationRequest.of(prompt, tokens).withIgnoreEnd(true);
    }

    private static GenerationResult result(Generation generation) throws Exception {
        return generation.result().get(60, SECONDS);
    }

    /** Twelve requests over two adapters and none, of which some share a prompt. */
    private static List<GenerationRequest> mixed(String r8, String r4) {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            String adapter = Arrays.asList(null, r8, r4).get(i % 3);
            GenerationRequest request =
                    request(prompt(i / 3, 20 + 9 * (i / 3)), 40).withAdapter(adapter);
            requests.add(
                    i % 5 == 4
                            ? request.withSampling(
                                    SamplingSettings.atTemperature(1.5).withSeed(i))
                            : request);
        }
        return requests;
    }

    private static List<int[]> answers(EngineLimits limits, boolean together) throws Exception {
        List<int[]> answers = new ArrayList<>();
        try (Engine engine = model.startEngine(limits)) {
            String r8 = engine.adapters().load(R8, null).digest();
            String r4 = engine.adapters().load(R4, null).digest();
            List<Generation> generations = new ArrayList<>();
            for (GenerationRequest request : mixed(r8, r4)) {
                generations.add(engine.submit(request));
                if (!together) {
                    result(generations.getLast());
                }
            }
            for (Generation generation : generations) {
                answers.add(result(generation).tokens());
            }
            await().untilAsserted(() -> assertThat(engine.status().freeBlocks()).isEqualTo(limits.cacheBlocks()));
            assertThat(engine.adapters().loaded()).allMatch(adapter -> adapter.users() == 0);
        }
        return answers;
    }

    @Test
    void answers_are_the_same_alone_and_in_any_company() throws Exception {
        List<int[]> alone = answers(limits(64, 200, 1), false);
        assertThat(alone.stream().map(Arrays::toString).distinct()).hasSize(12);
        assertThat(answers(limits(96, 200, 12), true)).as("batched").containsExactlyElementsOf(alone);
        assertThat(answers(limits(64, 7, 1), false)).as("chunked").containsExactlyElementsOf(alone);
        assertThat(answers(limits(96, 13, 12), true)).as("both").containsExactlyElementsOf(alone);
        assertThat(answers(limits(14, 40, 12), true)).as("preempted").containsExactlyElementsOf(alone);
    }

    @Test
    void a_bias_of_the_first_token_decides_that_one_and_leaves_the_others_to_the_model() throws Exception {
        int[] prompt = prompt(5, 40);
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            String r8 = engine.adapters().load(R8, null).digest();
            GenerationRequest plain = request(prompt, 12).withAdapter(r8);
            int[] free = result(engine.submit(plain)).tokens();
            int other = free[0] == 100 ? 101 : 100;
            int[] biased = result(engine.submit(plain.withFirstTokenBias(Map.of(other, 90f))))
                    .tokens();
            assertThat(biased[0]).isEqualTo(other);
            int[] longer = Arrays.copyOf(prompt, prompt.length + 1);
            longer[prompt.length] = other;
            assertThat(Arrays.copyOfRange(biased, 1, 12))
                    .isEqualTo(result(engine.submit(request(longer, 11).withAdapter(r8)))
                            .tokens());
        }
    }

    @Test
    void a_request_without_an_adapter_gets_what_an_engine_without_adapters_gives() throws Exception {
        int[] prompt = prompt(3, 50);
        int[] bare;
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            bare = result(engine.submit(request(prompt, 40))).tokens();
        }
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            String r8 = engine.adapters().load(R8, null).digest();
            Generation beside = engine.submit(request(prompt(4, 60), 60).withAdapter(r8));
            Generation without = engine.submit(request(prompt, 40));
            assertThat(result(without).tokens()).isEqualTo(bare);
            result(beside);
        }
    }

    @Test
    void cached_prefixes_are_shared_within_an_adapter_and_never_between_adapters() throws Exception {
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            String r8 = engine.adapters().load(R8, null).digest();
            String r4 = engine.adapters().load(R4, null).digest();
            int[] prompt = prompt(9, 70);
            for (String adapter : Arrays.asList(null, r8, r4)) {
                GenerationResult miss = result(engine.submit(request(prompt, 20).withAdapter(adapter)));
                GenerationResult hit = result(engine.submit(request(prompt, 20).withAdapter(adapter)));
                assertThat(miss.usage().cachedTokens()).isZero();
                assertThat(hit.usage().cachedTokens()).isEqualTo(64);
                assertThat(hit.tokens()).isEqualTo(miss.tokens());
            }
        }
    }

    @Test
    void an_unloaded_adapter_serves_those_who_have_it_and_goes_with_the_last() throws Exception {
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            LoadedAdapter loaded = engine.adapters().load(R8, null);
            int[] whole = result(engine.submit(request(prompt(1, 30), 150).withAdapter(loaded.digest())))
                    .tokens();
            CountDownLatch begun = new CountDownLatch(1);
            Generation running =
                    engine.submit(request(prompt(1, 30), 150).withAdapter(loaded.digest()), new GenerationListener() {
                        @Override
                        public void onPiece(String text, List<TokenLogprobs> logprobs) {
                            begun.countDown();
                        }
                    });
            begun.await();
            boolean unloaded = engine.adapters().unload(loaded.digest());
            assertThat(unloaded).isTrue();
            assertThat(engine.adapters().unload(loaded.digest())).as("twice").isFalse();
            assertThatThrownBy(() -> engine.submit(request(prompt(1, 30), 5).withAdapter(loaded.digest())))
                    .isInstanceOf(UnknownAdapterException.class)
                    .hasMessageContaining(loaded.digest());
            assertThat(result(running).tokens()).isEqualTo(whole);
            await().untilAsserted(() -> assertThat(engine.adapters().loaded()).isEmpty());
            assertThat(engine.adapters().load(R8, loaded.digest())).isEqualTo(loaded);
        }
    }

    @Test
    void loading_again_keeps_the_adapter_that_was_leaving() {
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            LoadedAdapter loaded = engine.adapters().load(R8, null);
            assertThat(loaded.rank()).isEqualTo(8);
            assertThat(loaded.layers()).isEqualTo(4);
            try (var lease = engine.adapters().acquire(loaded.digest())) {
                engine.adapters().unload(loaded.digest());
                assertThat(engine.adapters().loaded()).allMatch(LoadedAdapter::leaving);
                assertThat(engine.adapters().load(R8, null).leaving()).isFalse();
                assertThat(lease.updates().byteSize()).isEqualTo(loaded.bytes());
            }
            assertThat(engine.adapters().loaded()).containsExactly(loaded);
        }
    }

    @Test
    void what_cannot_be_loaded_is_refused_and_leaves_the_others_serving() throws Exception {
        long bytes;
        try (Engine engine = model.startEngine(limits(64, 100, 4))) {
            bytes = engine.adapters().load(R8, null).bytes();
            assertThatThrownBy(() -> engine.adapters().load(R4, "00"))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessageContaining("where 00 is expected");
            assertThatThrownBy(() -> engine.adapters().load(GoldenFiles.path("lora/gptneox-r8"), null))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessageContaining("gpt_neox.layers.0.attention.query_key_value")
                    .hasMessageContaining("tiny-gptneox");
            assertThat(engine.adapters().loaded()).hasSize(1);
        }
        try (Engine engine = model.startEngine(limits(64, 100, 4), new AdapterLimits(bytes, 8))) {
            String r8 = engine.adapters().load(R8, null).digest();
            assertThatThrownBy(() -> engine.adapters().load(R4, null))
                    .isInstanceOf(AdapterLimitException.class)
                    .hasMessageContaining("of " + bytes + " allowed")
                    .hasMessageContaining("unload one");
            assertThat(result(engine.submit(request(prompt(0, 9), 3).withAdapter(r8)))
                            .tokens())
                    .hasSize(3);
            engine.adapters().unload(r8);
            assertThat(engine.adapters().loaded()).isEmpty();
        }
        try (Engine engine = model.startEngine(limits(64, 100, 4), new AdapterLimits(1 << 30, 1))) {
            LoadedAdapter r8 = engine.adapters().load(R8, null);
            assertThat(engine.adapters().load(R8, null)).isEqualTo(r8);
            assertThat(engine.adapters().load(R8, r8.digest())).isEqualTo(r8);
            assertThatThrownBy(() -> engine.adapters().load(R4, null))
                    .isInstanceOf(AdapterLimitException.class)
                    .hasMessageContaining("1 adapters");
        }
    }

    @Test
    void after_closing_nothing_is_loaded_or_held() {
        Engine engine = model.startEngine(limits(64, 100, 4));
        String digest = engine.adapters().load(R8, null).digest();
        engine.close();
        assertThat(engine.adapters().loaded()).isEmpty();
        assertThatThrownBy(() -> engine.adapters().acquire(digest)).isInstanceOf(UnknownAdapterException.class);
        assertThatThrownBy(() -> engine.adapters().load(R8, null)).isInstanceOf(IllegalStateException.class);
    }
}
