package dev.tsumugi.gateway.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdminKeyTests {
    @TempDir
    Path folder;

    @Test
    void only_the_key_itself_matches() throws Exception {
        AdminKey key = AdminKey.read(Files.writeString(folder.resolve("key"), "  0123456789abcdef \nsecond line"));
        assertThat(key.matches("0123456789abcdef")).isTrue();
        assertThat(key.matches("0123456789abcde")).isFalse();
        assertThat(key.matches("0123456789abcdefg")).isFalse();
        assertThat(key.matches("")).isFalse();
    }

    @Test
    void a_missing_file_says_what_to_change() {
        assertThatThrownBy(() -> AdminKey.read(folder.resolve("absent")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("absent")
                .hasMessageContaining("TSUMUGI_ADMIN_KEY_FILE");
    }

    @Test
    void a_short_key_is_refused_without_being_told() throws Exception {
        Path file = Files.writeString(folder.resolve("key"), "hunter2");
        assertThatThrownBy(() -> AdminKey.read(file))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("16")
                .hasMessageNotContaining("hunter2");
    }
}
