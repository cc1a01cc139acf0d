package dev.tsumugi.launcher.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateFolderTests {
    @TempDir
    Path folder;

    @Test
    void it_lies_where_the_environment_says_else_in_the_users_data_folder() {
        assertThat(StateFolder.fromEnvironment(Map.of("TSUMUGI_HOME", "/srv/t"), "ann", "/home/ann")
                        .path())
                .isEqualTo(Path.of("/srv/t"));
        assertThat(StateFolder.fromEnvironment(Map.of(), "ann", "/home/ann").path())
                .isEqualTo(Path.of("/home/ann/.local/share/tsumugi"));
        assertThat(StateFolder.fromEnvironment(Map.of("XDG_DATA_HOME", "/data"), "ann", "/home/ann")
                        .path())
                .isEqualTo(Path.of("/data/tsumugi"));
        assertThat(StateFolder.fromEnvironment(Map.of(), "root", "/root").path())
                .isEqualTo(Path.of("/var/lib/tsumugi"));
    }

    @Test
    void the_admin_key_is_made_once_and_only_its_owner_reads_it() throws IOException {
        StateFolder home = new StateFolder(folder.resolve("home"));
        home.create();

        assertThat(home.adminKey()).isEmpty();
        assertThat(home.createAdminKey()).isTrue();
        String key = home.adminKey().orElseThrow();
        assertThat(home.createAdminKey()).isFalse();

        assertThat(home.adminKey()).contains(key);
        assertThat(key).hasSizeGreaterThan(40);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home.adminKeyFile())))
                .isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home.blobs())))
                .isEqualTo("rwx------");
    }

    @Test
    void the_token_of_the_services_is_the_same_at_every_start_and_only_its_owner_reads_it() throws IOException {
        StateFolder home = new StateFolder(folder.resolve("home"));
        home.create();
        String token = home.internalToken();
        assertThat(token).hasSizeGreaterThan(40);
        assertThat(new StateFolder(home.path()).internalToken()).isEqualTo(token);
        assertThat(PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(home.path().resolve("internal.token"))))
                .isEqualTo("rw-------");
    }
}
