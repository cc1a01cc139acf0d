package dev.tsumugi.trainer.adapters;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterZipTests {
    @TempDir
    private Path folder;

    @Test
    void a_directory_that_would_fill_the_memory_is_refused_before_it_is_read() throws IOException {
        refused(zip(40, "n".repeat(60_000)), "directory has more than 1048576 bytes");
    }

    @Test
    void a_second_end_of_the_directory_in_the_comment_is_refused() throws IOException {
        byte[] empty = zip(0, "");
        byte[] hidden = zip(40, "n".repeat(60_000));
        byte[] joined = new byte[hidden.length + empty.length];
        System.arraycopy(hidden, 0, joined, 0, hidden.length);
        System.arraycopy(empty, 0, joined, hidden.length, empty.length);
        joined[hidden.length - 2] = (byte) empty.length;
        refused(joined, "directory is damaged");
    }

    @Test
    void something_before_the_zip_file_is_refused() throws IOException {
        byte[] zip = zip(1, "README.md");
        byte[] joined = new byte[zip.length + 100];
        System.arraycopy(zip, 0, joined, 100, zip.length);
        refused(joined, "directory is damaged");
    }

    @Test
    void a_directory_of_zip64_is_refused_by_its_name() throws IOException {
        byte[] zip = zip(1, "README.md");
        int end = zip.length - 22;
        ByteBuffer joined = ByteBuffer.allocate(zip.length + 20).order(ByteOrder.LITTLE_ENDIAN);
        joined.put(zip, 0, end).putInt(0x07064b50).put(new byte[16]).put(zip, end, 22);
        refused(joined.array(), "zip64");
    }

    private void refused(byte[] content, String reason) throws IOException {
        Path file = Files.write(folder.resolve("adapter.zip"), content);
        assertThatThrownBy(() -> AdapterZip.unpack(file, Files.createDirectories(folder.resolve("target")), 1 << 20))
                .isInstanceOf(InvalidAdapterZipException.class)
                .hasMessageContaining(reason);
    }

    private static byte[] zip(int entries, String name) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            for (int i = 0; i < entries; i++) {
                zip.putNextEntry(new ZipEntry(entries == 1 ? name : i + name));
                zip.closeEntry();
            }
        }
        return bytes.toByteArray();
    }
}
