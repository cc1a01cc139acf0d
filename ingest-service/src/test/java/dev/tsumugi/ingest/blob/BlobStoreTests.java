package dev.tsumugi.ingest.blob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlobStoreTests {
    @TempDir
    Path folder;

    private Instant now = Instant.parse("2026-01-01T00:00:00Z");
    private BlobStore store;

    @BeforeEach
    void open() throws IOException {
        InstantSource source = () -> now;
        store = new BlobStore(folder, source.withZone(ZoneOffset.UTC));
    }

    private BlobStore.Blob put(String content) throws IOException {
        return store.store(new ByteArrayInputStream(content.getBytes(StandardCharsets.UTF_8)), 1000);
    }

    @Test
    void content_is_found_under_its_sha_256_and_stored_once() throws IOException {
        BlobStore.Blob blob = put("abc");

        assertThat(blob.hash()).isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assertThat(blob.size()).isEqualTo(3);
        assertThat(put("abc")).isEqualTo(blob);
        assertThat(store.find(blob.hash()))
                .hasValueSatisfying(file -> assertThat(file).hasContent("abc"));
        assertThat(files()).isEqualTo(1);
    }

    @Test
    void what_is_too_large_leaves_nothing_behind() throws IOException {
        assertThatThrownBy(() -> put("x".repeat(1001))).isInstanceOf(BlobTooLargeException.class);
        assertThat(files()).isZero();
    }

    @Test
    void no_other_file_can_be_reached() throws IOException {
        assertThat(store.find("../../etc/passwd")).isEmpty();
        assertThat(store.find("A".repeat(64))).isEmpty();
        assertThat(store.find("0".repeat(64))).isEmpty();
    }

    @Test
    void only_old_blobs_without_references_are_collected() throws IOException {
        BlobStore.Blob kept = put("kept");
        BlobStore.Blob dropped = put("dropped");
        BlobStore.Blob renewed = put("renewed");
        now = now.plus(Duration.ofHours(2));
        put("renewed");
        BlobStore.Blob young = put("young");

        assertThat(store.collect(Duration.ofHours(1), kept.hash()::equals))
                .as("first it is set aside")
                .isZero();
        now = now.plus(Duration.ofMinutes(61));
        Set<String> used = Set.of(kept.hash(), renewed.hash(), young.hash());
        assertThat(store.collect(Duration.ofHours(1), used::contains)).isEqualTo(1);
        assertThat(store.find(dropped.hash())).isEmpty();
        assertThat(Stream.of(kept, renewed, young).allMatch(blob -> present(store, blob.hash())))
                .isTrue();
    }

    @Test
    void what_another_process_collects_while_it_is_stored_again_is_stored_again() throws IOException {
        BlobStore.Blob blob = put("contested");
        now = now.plus(Duration.ofHours(2));
        BlobStore other = new BlobStore(folder, Clock.fixed(now, ZoneOffset.UTC));
        // Between the look whether the content is there and the renewal of its age.
        BlobStore interrupted = new BlobStore(folder, clock(() -> {
            other.collect(Duration.ofHours(1), hash -> false);
            return now;
        }));

        interrupted.store(new ByteArrayInputStream("contested".getBytes(StandardCharsets.UTF_8)), 1000);

        assertThat(folder.resolve(blob.hash().substring(0, 2)).resolve(blob.hash()))
                .hasContent("contested");
    }

    @Test
    void what_is_set_aside_comes_back_when_it_is_referred_to_or_asked_for() throws IOException {
        BlobStore.Blob referred = put("referred");
        BlobStore.Blob asked = put("asked for");
        BlobStore.Blob raced = put("asked for at the last moment");
        now = now.plus(Duration.ofHours(2));
        store.collect(Duration.ofHours(1), hash -> false);
        assertThat(store.find(asked.hash())).isPresent();
        now = now.plus(Duration.ofMinutes(59));
        assertThat(store.collect(Duration.ofHours(1), hash -> false)).isZero();
        now = now.plus(Duration.ofMinutes(2));
        BlobStore other = new BlobStore(folder, Clock.fixed(now, ZoneOffset.UTC));

        assertThat(store.collect(Duration.ofHours(1), hash -> {
                    if (hash.equals(raced.hash())) {
                        present(other, hash);
                    }
                    return hash.equals(referred.hash());
                }))
                .isZero();

        assertThat(List.of(referred, asked, raced)).allMatch(blob -> present(store, blob.hash()));
    }

    private static boolean present(BlobStore store, String hash) {
        try {
            return store.find(hash).isPresent();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Clock clock(Callable<Instant> now) {
        InstantSource source = () -> {
            try {
                return now.call();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        };
        return source.withZone(ZoneOffset.UTC);
    }

    private long files() throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).count();
        }
    }
}
