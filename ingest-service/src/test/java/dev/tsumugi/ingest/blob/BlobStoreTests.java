package dev.tsumugi.ingest.blob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
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
    void no_other_file_can_be_reached() {
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

        int deleted = store.collect(Duration.ofHours(1), kept.hash()::equals);

        assertThat(deleted).isEqualTo(1);
        assertThat(store.find(dropped.hash())).isEmpty();
        assertThat(Stream.of(kept, renewed, young)
                        .allMatch(blob -> store.find(blob.hash()).isPresent()))
                .isTrue();
    }

    private long files() throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).count();
        }
    }
}
