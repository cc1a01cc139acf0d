package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelDigestTests {
    @TempDir
    Path folder;

    @Test
    void a_file_has_the_digest_of_its_bytes() throws IOException {
        Path file = Files.writeString(folder.resolve("a.gguf"), "abc");
        // FIPS 180-4, the example for SHA-256
        assertThat(ModelDigest.of(file)).isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    @Test
    void a_folder_changes_its_digest_with_its_weights_and_their_names_and_with_nothing_else() throws IOException {
        assertThatThrownBy(() -> ModelDigest.of(folder)).isInstanceOf(ModelFileException.class);
        Files.writeString(folder.resolve("config.json"), "{}");
        Files.writeString(folder.resolve("model-1.safetensors"), "one");
        String first = ModelDigest.of(folder);
        Files.writeString(folder.resolve("README.md"), "words");
        assertThat(ModelDigest.of(folder)).isEqualTo(first);
        Files.move(folder.resolve("model-1.safetensors"), folder.resolve("model-2.safetensors"));
        String renamed = ModelDigest.of(folder);
        assertThat(renamed).isNotEqualTo(first);
        Files.writeString(folder.resolve("model-2.safetensors"), "two");
        assertThat(ModelDigest.of(folder)).isNotIn(first, renamed);
    }
}
