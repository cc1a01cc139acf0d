package dev.tsumugi.embedded.downloads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The pip of this machine fetches small wheels from a folder. */
class DownloadsIT {
    private static final String WHEEL = "sample-1.0-py3-none-any.whl";

    @TempDir
    Path folder;

    private Path index;
    private Path cache;

    @BeforeEach
    void createFolders() throws IOException {
        index = Files.createDirectories(folder.resolve("index"));
        cache = folder.resolve("cache");
    }

    @Test
    void a_wheel_is_fetched_verified_and_unpacked_without_what_is_not_needed() throws Exception {
        writeWheel(index.resolve(WHEEL), Map.of("sample/data.txt", "hello", "sample/notes.md", "not needed"));
        List<Long> reported = new ArrayList<>();

        Path target = downloads()
                .reportingTo((what, done, total) -> reported.add(done))
                .fetch(artifact());

        assertThat(target.resolve("sample/data.txt")).hasContent("hello");
        assertThat(target.resolve("sample/notes.md")).doesNotExist();
        assertThat(cache.resolve(".incoming")).doesNotExist();
        assertThat(reported.getLast()).isEqualTo(Files.size(index.resolve(WHEEL)));
    }

    @Test
    void what_is_there_is_not_fetched_again_and_what_was_cut_off_is() throws Exception {
        writeWheel(index.resolve(WHEEL), Map.of("sample/data.txt", "hello"));
        Artifact artifact = artifact();
        Path data = downloads().fetch(artifact).resolve("sample/data.txt");
        Path moved = Files.move(index.resolve(WHEEL), folder.resolve(WHEEL));
        downloads().fetch(artifact);

        Files.writeString(data, "hel");
        assertThatThrownBy(() -> downloads().fetch(artifact)).isInstanceOf(DownloadException.class);
        Files.move(moved, index.resolve(WHEEL));
        downloads().fetch(artifact);

        assertThat(data).hasContent("hello");
    }

    @Test
    void a_file_with_another_checksum_is_refused_and_nothing_of_it_is_kept() throws Exception {
        writeWheel(index.resolve(WHEEL), Map.of("sample/data.txt", "hello"));
        Artifact expected = artifact();
        writeWheel(index.resolve(WHEEL), Map.of("sample/data.txt", "hellO"));

        assertThatThrownBy(() -> downloads().fetch(expected))
                .isInstanceOf(DownloadException.class)
                .hasMessageContaining(expected.sha256())
                .hasMessageContaining("damaged");

        assertThat(cache.resolve(expected.target())).doesNotExist();
        assertThat(cache.resolve(".incoming")).doesNotExist();
    }

    @Test
    void without_network_a_file_brought_by_hand_is_used_and_the_error_before_said_where_to_put_it() throws Exception {
        writeWheel(folder.resolve(WHEEL), Map.of("sample/data.txt", "hello"));
        Artifact artifact = artifact(folder.resolve(WHEEL));
        assertThatThrownBy(() -> downloads().fetch(artifact))
                .isInstanceOf(DownloadException.class)
                .hasMessageContaining(cache.resolve("wheels").resolve(WHEEL).toString());

        Files.createDirectories(cache.resolve("wheels"));
        Files.move(folder.resolve(WHEEL), cache.resolve("wheels").resolve(WHEEL));

        assertThat(downloads().fetch(artifact).resolve("sample/data.txt")).hasContent("hello");
    }

    @Test
    void an_entry_that_would_land_outside_is_refused() throws Exception {
        writeWheel(index.resolve(WHEEL), Map.of("sample/data.txt", "hello"));
        Artifact inside = artifact();
        Artifact outside = new Artifact(
                inside.title(),
                inside.requirement(),
                inside.pipOptions(),
                inside.wheel(),
                inside.sha256(),
                inside.bytes(),
                inside.target(),
                entry -> "../../" + entry,
                "");

        assertThatThrownBy(() -> downloads().fetch(outside))
                .isInstanceOf(DownloadException.class)
                .hasMessageContaining("outside");

        assertThat(folder.resolve("sample")).doesNotExist();
        assertThat(cache.resolve("sample")).doesNotExist();
    }

    @Test
    void many_at_once_fetch_once() throws Exception {
        writeWheel(index.resolve(WHEEL), Map.of("sample/data.txt", "hello"));
        Artifact artifact = artifact();
        List<Long> finished = java.util.Collections.synchronizedList(new ArrayList<>());
        Downloads downloads = downloads().reportingTo((what, done, total) -> {
            if (done == total) {
                finished.add(done);
            }
        });
        try (ExecutorService executor = Executors.newFixedThreadPool(4)) {
            List<Callable<Path>> calls = java.util.Collections.nCopies(4, () -> downloads.fetch(artifact));
            for (Future<Path> result : executor.invokeAll(calls)) {
                assertThat(result.get().resolve("sample/data.txt")).hasContent("hello");
            }
        }
        assertThat(finished).hasSize(1);
    }

    @Test
    void there_is_a_postgres_for_each_supported_machine_and_a_clear_word_for_others() {
        assertThat(Catalogue.postgres("Linux", "amd64").wheel()).contains("x86_64");
        assertThat(Catalogue.postgres("Linux", "aarch64").wheel()).contains("aarch64");
        assertThat(Catalogue.postgres("Mac OS X", "aarch64").wheel()).contains("macosx");
        assertThatThrownBy(() -> Catalogue.postgres("Windows 11", "amd64")).hasMessageContaining("WSL");
    }

    private Downloads downloads() {
        return Downloads.in(cache).using(new Pip(Map.of("PIP_NO_INDEX", "1", "PIP_FIND_LINKS", index.toString())));
    }

    private Artifact artifact() throws IOException {
        return artifact(index.resolve(WHEEL));
    }

    private static Artifact artifact(Path wheel) throws IOException {
        return new Artifact(
                "A sample",
                "sample==1.0",
                List.of(),
                WHEEL,
                Wheel.sha256(wheel),
                Files.size(wheel),
                "samples/1.0",
                Artifact.Placement.of(entry -> entry.endsWith(".txt") ? entry : ""),
                "");
    }

    private static void writeWheel(Path file, Map<String, String> content) throws IOException {
        try (OutputStream out = Files.newOutputStream(file);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            for (Map.Entry<String, String> entry : content.entrySet()) {
                add(zip, entry.getKey(), entry.getValue());
            }
            add(zip, "sample-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n");
            add(zip, "sample-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
            add(zip, "sample-1.0.dist-info/RECORD", "");
        }
    }

    private static void add(ZipOutputStream zip, String name, String content) throws IOException {
        zip.putNextEntry(new ZipEntry(name));
        zip.write(content.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        zip.closeEntry();
    }
}
