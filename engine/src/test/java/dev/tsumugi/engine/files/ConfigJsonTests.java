package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelConfig.Activation;
import dev.tsumugi.engine.model.ModelConfig.Family;
import dev.tsumugi.engine.model.ModelConfig.RopeScaling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigJsonTests {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tiny-llama",
                "tiny-llama3-rope",
                "tiny-qwen2",
                "tiny-qwen3",
                "tiny-mistral",
                "tiny-gptneox",
                "tiny-gptneox-sequential"
            })
    void both_spellings_say_the_same(String model) {
        ModelConfig published = ConfigJson.read(Golden.path(model + "/config.json"), model);
        ModelConfig transformers5 = ConfigJson.read(Golden.path(model + "/config.v5.json"), model);

        assertThat(transformers5).isEqualTo(published);
        assertThat(published.vocabularySize()).isEqualTo(320);
        assertThat(published.hiddenSize()).isEqualTo(64);
        assertThat(published.layers()).isEqualTo(2);
        assertThat(published.heads()).isEqualTo(4);
        assertThat(published.contextLength()).isEqualTo(512);
        assertThat(published.ropeTheta()).isEqualTo(10_000f);
        assertThat(published.normEpsilon()).isEqualTo(model.contains("qwen3") ? published.normEpsilon() : 1e-5f);
    }

    @Test
    void what_is_special_of_each_family_is_read() {
        ModelConfig llama = config("tiny-llama");
        assertThat(llama.family()).isEqualTo(Family.LLAMA);
        assertThat(llama.keyValueHeads()).isEqualTo(2);
        assertThat(llama.headSize()).isEqualTo(16);
        assertThat(llama.rotaryDimensions()).isEqualTo(16);
        assertThat(llama.tiedEmbeddings()).isTrue();
        assertThat(llama.ropeScaling()).isNull();
        assertThat(llama.slidingWindow()).isZero();
        assertThat(llama.activation()).isEqualTo(Activation.SILU);

        assertThat(config("tiny-llama3-rope").ropeScaling()).isEqualTo(new RopeScaling("llama3", 8, 1, 4, 256));
        assertThat(config("tiny-qwen2").headSize()).isEqualTo(16);
        assertThat(config("tiny-qwen2").slidingWindow()).isZero();
        assertThat(config("tiny-qwen3").headSize()).isEqualTo(32);
        assertThat(config("tiny-mistral").slidingWindow()).isEqualTo(8);
        assertThat(config("tiny-mistral").tiedEmbeddings()).isFalse();

        ModelConfig neoX = config("tiny-gptneox");
        assertThat(neoX.family()).isEqualTo(Family.GPT_NEOX);
        assertThat(neoX.rotaryDimensions()).isEqualTo(4);
        assertThat(neoX.keyValueHeads()).isEqualTo(4);
        assertThat(neoX.parallelResidual()).isTrue();
        assertThat(neoX.activation()).isEqualTo(Activation.GELU_ERF);
        assertThat(config("tiny-gptneox-sequential").parallelResidual()).isFalse();
        assertThat(config("tiny-gptneox-sequential").rotaryDimensions()).isEqualTo(16);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            "model_type": "llama"         | "model_type": "bert"                                  | model_type 'bert' is not supported
            "hidden_size": 64             | "hidden_size": "64"                                   | 'hidden_size' should be a whole number
            "hidden_size": 64             | "hidden_size": 64.5                                   | 'hidden_size' should be a whole number
            "hidden_size": 64             | "hidden_size": 99999999999                            | 'hidden_size' should be a whole number
            "hidden_size": 64             | "hidden_size": 2147483647                             | hidden size 2147483647 is not between
            "hidden_size": 64             | "x": 1                                                | 'hidden_size' is missing
            "hidden_size": 64             | "hidden_size": 64, "hidden_size": 32                  | Duplicate
            "num_attention_heads": 4      | "num_attention_heads": 0                              | 'num_attention_heads' should be a positive number
            "num_key_value_heads": 2      | "num_key_value_heads": 3                              | cannot share 3 key/value heads
            "num_hidden_layers": 2        | "num_hidden_layers": -2                               | number of layers -2 is not between
            "head_dim": 16                | "head_dim": 15                                        | head size 15 is odd
            "rms_norm_eps": 1e-05         | "rms_norm_eps": -1                                    | epsilon -1.0 is no positive number
            "rope_theta": 10000.0         | "rope_theta": 1e99                                    | rope theta Infinity is no positive number
            "rope_scaling": null          | "rope_scaling": {"type": "yarn", "factor": 4}         | rope type 'yarn' is not supported
            "rope_scaling": null          | "rope_scaling": {"rope_type": "llama3", "factor": 4}  | 'low_freq_factor' is missing
            "rope_scaling": null          | "rope_scaling": 3                                     | 'rope_scaling' should be an object
            "hidden_act": "silu"          | "hidden_act": "relu"                                  | hidden_act 'relu' is not supported
            "rope_scaling": null          | "quantization_config": {"quant_method": "gptq"}       | weights are quantized
            "tie_word_embeddings": true   | "tie_word_embeddings": "yes"                          | should be true or false
            """)
    void a_value_that_cannot_be_is_refused_by_name(String sound, String changed, String reason) throws IOException {
        String json = Files.readString(Golden.path("tiny-llama/config.json"));
        assertThat(json).contains(sound);
        Path file = Files.writeString(folder.resolve("config.json"), json.replace(sound, changed));

        assertThatThrownBy(() -> ConfigJson.read(file, "model"))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining(reason);
    }

    @Test
    void a_window_on_some_layers_only_is_refused() throws IOException {
        String json = Files.readString(Golden.path("tiny-qwen2/config.json"))
                .replace("\"use_sliding_window\": false", "\"use_sliding_window\": true")
                .replace("\"sliding_window\": null", "\"sliding_window\": 8");
        Path file = folder.resolve("config.json");

        Files.writeString(file, json);
        assertThat(ConfigJson.read(file, "m").slidingWindow()).isZero();
        Files.writeString(file, json.replace("\"max_window_layers\": 28", "\"max_window_layers\": 0"));
        assertThat(ConfigJson.read(file, "m").slidingWindow()).isEqualTo(8);
        Files.writeString(file, json.replace("\"max_window_layers\": 28", "\"max_window_layers\": 1"));
        assertThatThrownBy(() -> ConfigJson.read(file, "m")).hasMessageContaining("only the layers from 1");
    }

    @Test
    void a_linear_scaling_is_read() throws IOException {
        String json = Files.readString(Golden.path("tiny-llama/config.json"))
                .replace("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}");
        Path file = Files.writeString(folder.resolve("config.json"), json);

        assertThat(ConfigJson.read(file, "m").ropeScaling()).isEqualTo(new RopeScaling("linear", 4, 0, 0, 0));
    }

    private static ModelConfig config(String model) {
        return ConfigJson.read(Golden.path(model + "/config.json"), model);
    }
}
