package dev.tsumugi.platform.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterStoreTests {
    private static final Duration GRACE = Duration.ofHours(1);

    @TempDir
    Path temporary;

    private Instant now = Instant.now();
    private AdapterStore store;

    @BeforeEach
    void open() throws IOException {
        InstantSource time = () -> now;
        store = new AdapterStore(temporary.resolve("store"), AdapterStoreTests::digest, time.withZone(ZoneOffset.UTC));
    }

    /** Of the weights; empty ones are unsound. */
    private static String digest(Path folder) {
        try {
            byte[] weights = Files.readAllBytes(folder.resolve("adapter_model.safetensors"));
            if (weights.length == 0) {
                throw new IllegalArgumentException("no weights");
            }
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(weights));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private Path peft(String weights) throws IOException {
        Path folder = Files.createTempDirectory(temporary, "peft");
        Files.writeString(folder.resolve("adapter_config.json"), "{}");
        Files.writeString(folder.resolve("adapter_model.safetensors"), weights);
        Files.writeString(folder.resolve("README.md"), "not stored");
        return folder;
    }

    private List<String> filesInStore() throws IOException {
        try (Stream<Path> files = Files.walk(temporary.resolve("store"))) {
            return files.filter(Files::isRegularFile)
                    .map(file -> temporary.resolve("store").relativize(file).toString())
                    .sorted()
                    .toList();
        }
    }

    @Test
    void an_adapter_is_stored_once_under_its_digest_with_its_two_files() throws IOException {
        AdapterStore.Stored first = store.put(peft("abc"), 1000);
        AdapterStore.Stored again = store.put(peft("abc"), 1000);
        assertThat(again).isEqualTo(first);
        assertThat(first.bytes()).isEqualTo(5);
        assertThat(store.find(first.digest())).contains(first.folder());
        String below = first.digest().substring(0, 2) + "/" + first.digest();
        assertThat(filesInStore())
                .containsExactly(below + "/adapter_config.json", below + "/adapter_model.safetensors");
    }

    @Test
    void what_is_unsound_too_large_incomplete_or_a_link_leaves_nothing_behind() throws IOException {
        assertThatThrownBy(() -> store.put(peft(""), 1000)).hasMessage("no weights");
        assertThatThrownBy(() -> store.put(peft("abc"), 4)).isInstanceOf(AdapterTooLargeException.class);
        Path incomplete = peft("abc");
        Files.delete(incomplete.resolve("adapter_config.json"));
        assertThatThrownBy(() -> store.put(incomplete, 1000)).isInstanceOf(NoSuchFileException.class);
        Path link = peft("abc");
        Files.delete(link.resolve("adapter_config.json"));
        Files.createSymbolicLink(link.resolve("adapter_config.json"), Path.of("/etc/passwd"));
        assertThatThrownBy(() -> store.put(link, 10_000)).isInstanceOf(NoSuchFileException.class);
        assertThat(filesInStore()).isEmpty();
        assertThat(store.find("..")).isEmpty();
        assertThat(store.find("0".repeat(64))).isEmpty();
    }

    @Test
    void a_damaged_adapter_is_replaced_when_it_is_stored_again() throws IOException {
        AdapterStore.Stored stored = store.put(peft("abc"), 1000);
        Path weights = stored.folder().resolve("adapter_model.safetensors");
        Files.writeString(weights, "axc");
        store.put(peft("abc"), 1000);
        assertThat(weights).hasContent("abc");
    }

    @Test
    void only_what_nothing_refers_to_is_deleted_and_only_after_two_times_the_grace() throws IOException {
        String kept = store.put(peft("kept"), 1000).digest();
        String gone = store.put(peft("gone"), 1000).digest();
        assertThat(store.collect(GRACE, Set.of(kept)::contains)).isZero();
        assertThat(store.find(gone)).as("young").isPresent();

        now = now.plus(GRACE).plusSeconds(1);
        store.collect(GRACE, Set.of(kept)::contains);
        now = now.plus(GRACE).plusSeconds(1);
        assertThat(store.collect(GRACE, Set.of(kept)::contains)).isEqualTo(1);
        assertThat(store.find(gone)).isEmpty();
        assertThat(store.find(kept)).isPresent();
        assertThat(filesInStore()).hasSize(2);
    }

    @Test
    void an_adapter_that_is_set_aside_comes_back_when_it_is_found_stored_or_referred_to() throws IOException {
        String digest = store.put(peft("abc"), 1000).digest();
        for (int way = 0; way < 3; way++) {
            now = now.plus(GRACE).plusSeconds(1);
            store.collect(GRACE, unused -> false);
            if (way == 0) {
                assertThat(store.find(digest)).isPresent();
            } else if (way == 1) {
                store.put(peft("abc"), 1000);
            }
            now = now.plus(GRACE).plusSeconds(1);
            store.collect(GRACE, digest::equals);
            assertThat(store.find(digest)).as("way " + way).isPresent();
        }
    }
}
