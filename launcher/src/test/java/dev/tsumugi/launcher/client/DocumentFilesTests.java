package dev.tsumugi.launcher.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.launcher.runtime.LaunchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DocumentFilesTests {
    @TempDir
    Path folder;

    @Test
    void a_folder_is_read_with_all_below_it_except_hidden_files() throws IOException {
        write("notes/a.md");
        write("notes/deep/b.txt");
        write("notes/.git/config");
        write("notes/.hidden");

        assertThat(DocumentFiles.find(List.of(folder.resolve("notes")), folder))
                .containsOnlyKeys("notes/a.md", "notes/deep/b.txt");
    }

    @Test
    void files_of_the_same_name_in_different_folders_are_different_documents() throws IOException {
        Path one = write("one/report.pdf");
        Path two = write("two/report.pdf");

        assertThat(DocumentFiles.find(List.of(one, two), folder)).containsOnlyKeys("one/report.pdf", "two/report.pdf");
    }

    @Test
    void a_file_outside_is_known_by_its_whole_path() throws IOException {
        Path file = write("one/report.pdf");

        assertThat(DocumentFiles.find(List.of(file), folder.resolve("two")))
                .containsOnlyKeys(file.toString().substring(1));
    }

    @Test
    void an_id_is_the_same_however_the_file_system_writes_accents() throws IOException {
        Path file = write("\u30ab\u3099イド.txt"); // decomposed, as macOS does

        assertThat(DocumentFiles.find(List.of(file), folder)).containsOnlyKeys("\u30acイド.txt");
    }

    @Test
    void a_path_that_is_not_there_is_named() {
        assertThatThrownBy(() -> DocumentFiles.find(List.of(folder.resolve("nothing")), folder))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("nothing does not exist");
    }

    private Path write(String name) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, "x");
    }
}
