package dev.tsumugi.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class EmbeddedPostgresIT {
    @Test
    void a_temporary_server_stores_vectors_for_a_role_that_is_no_superuser_and_leaves_nothing() throws Exception {
        long pid;
        try (EmbeddedPostgres postgres = EmbeddedPostgres.temporary()) {
            pid = postgres.pid();
            try (Connection connection = postgres.connect();
                    Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE point (id int PRIMARY KEY, place vector(3))");
                statement.execute("INSERT INTO point VALUES (1, '[1,0,0]'), (2, '[0,1,0]')");
                statement.execute("CREATE INDEX ON point USING hnsw (place vector_cosine_ops)");
                assertThat(number(statement, "SELECT id FROM point ORDER BY place <=> '[0.1,0.9,0]' LIMIT 1"))
                        .isEqualTo(2);
                assertThat(number(statement, "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolsuper"))
                        .isZero();
                assertThat(number(statement, "SELECT current_setting('server_version_num')::int / 10000"))
                        .isEqualTo(18);
            }
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> ProcessHandle.of(pid).isEmpty());
    }

    @Test
    void databases_of_one_server_are_apart() throws Exception {
        EmbeddedPostgres postgres = EmbeddedPostgres.shared();

        String url = postgres.createDatabase("second");

        assertThat(postgres.createDatabase("second")).isEqualTo(url);
        assertThat(url).isNotEqualTo(postgres.jdbcUrl());
        assertThatThrownBy(() -> postgres.createDatabase("x\"; DROP DATABASE tsumugi; --"))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void committed_rows_survive_kill_9_of_the_server_and_a_restart_on_another_port() throws Exception {
        try (TemporaryFolder folder = TemporaryFolder.create("postgres-test")) {
            try (EmbeddedPostgres postgres =
                    EmbeddedPostgres.builder(folder.path().resolve("pg")).start()) {
                try (Connection connection = postgres.connect();
                        Statement statement = connection.createStatement()) {
                    statement.execute("CREATE TABLE row (id int)");
                    statement.execute("INSERT INTO row SELECT generate_series(1, 500)");
                }
                ProcessHandle.of(postgres.pid()).orElseThrow().destroyForcibly();
                await().atMost(Duration.ofSeconds(10)).until(() -> !postgres.isRunning());
            }
            try (EmbeddedPostgres again = EmbeddedPostgres.builder(folder.path().resolve("pg"))
                            .start();
                    Connection connection = again.connect();
                    Statement statement = connection.createStatement()) {
                assertThat(number(statement, "SELECT count(*) FROM row")).isEqualTo(500);
            }
        }
    }

    @Test
    void a_second_server_on_the_same_folder_is_refused() {
        try (TemporaryFolder folder = TemporaryFolder.create("postgres-test");
                EmbeddedPostgres postgres =
                        EmbeddedPostgres.builder(folder.path().resolve("pg")).start()) {
            assertThat(postgres.isRunning()).isTrue();
            EmbeddedPostgres.Builder second =
                    EmbeddedPostgres.builder(folder.path().resolve("pg"));
            assertThatThrownBy(
                            () -> second.leftoversLimit(Duration.ofMillis(300)).start())
                    .isInstanceOf(EmbeddedStartException.class)
                    .hasMessageContaining("already");
        }
    }

    @Test
    void a_stale_pid_file_that_names_somebody_else_does_not_keep_it_from_starting() throws Exception {
        try (TemporaryFolder folder = TemporaryFolder.create("postgres-test")) {
            Path data = folder.path().resolve("pg");
            EmbeddedPostgres.builder(data).durable(false).start().close();
            Path pidFile = data.resolve("data/postmaster.pid");
            Files.writeString(pidFile, ProcessHandle.current().pid() + "\n" + data + "\n1\n5432\n");

            try (EmbeddedPostgres again =
                    EmbeddedPostgres.builder(data).durable(false).start()) {
                assertThat(again.isRunning()).isTrue();
            }
        }
    }

    @Test
    void a_busy_port_is_named_with_its_holder() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                TemporaryFolder folder = TemporaryFolder.create("postgres-test")) {
            EmbeddedPostgres.Builder builder = EmbeddedPostgres.builder(
                            folder.path().resolve("pg"))
                    .durable(false)
                    .port(socket.getLocalPort());

            assertThatThrownBy(builder::start)
                    .isInstanceOf(PortBusyException.class)
                    .hasMessageContaining(Integer.toString(socket.getLocalPort()))
                    .hasMessageContaining("TSUMUGI_PORT");
            if (Files.isReadable(Path.of("/proc/net/tcp"))) {
                assertThatThrownBy(builder::start)
                        .hasMessageContaining(
                                "process " + ProcessHandle.current().pid());
            }
        }
    }

    private static int number(Statement statement, String query) throws SQLException {
        try (ResultSet rows = statement.executeQuery(query)) {
            assertThat(rows.next()).isTrue();
            return rows.getInt(1);
        }
    }
}
