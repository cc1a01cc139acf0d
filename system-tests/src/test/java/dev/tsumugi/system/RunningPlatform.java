package dev.tsumugi.system;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The launcher as a child process with a state folder of its own and free ports, called as a user would call it. */
final class RunningPlatform implements AutoCloseable {
    static final JsonMapper JSON = JsonMapper.shared();

    private static final Duration START_LIMIT = Duration.ofMinutes(4);
    /** The ports of a platform, counted from the gateway's. */
    private static final int[] PORT_OFFSETS = {0, 1, 2, 3, 4, 5, 1012, 1013, 1014};

    private final Path home;
    private final int port;
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private final List<String> jvmOptions;
    private final Map<String, String> environment;
    private Process process;

    private RunningPlatform(Path home, int port, List<String> jvmOptions, Map<String, String> environment) {
        this.home = home;
        this.port = port;
        this.jvmOptions = jvmOptions;
        this.environment = environment;
        this.process = launch();
    }

    /** Starts a platform without documents and waits until it answers. */
    static RunningPlatform start() {
        return start(List.of(), Map.of());
    }

    /**
     * @param jvmOptions beside those that every platform gets here
     * @param environment beside that of this process
     */
    static RunningPlatform start(List<String> jvmOptions, Map<String, String> environment) {
        try {
            // PostgreSQL runs as an unprivileged user under root, which must be able to reach its folder.
            Path home = Files.createTempDirectory("tsumugi-system-test-");
            home.toFile().setExecutable(true, false);
            home.toFile().setReadable(true, false);
            RunningPlatform platform = new RunningPlatform(home, freeBasePort(), jvmOptions, environment);
            platform.awaitReady();
            return platform;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int freeBasePort() {
        for (int attempt = 0; attempt < 200; attempt++) {
            // Below the range from which systems take ports for outgoing connections: one of those may come at any
            // moment.
            int base = ThreadLocalRandom.current().nextInt(10_000, 31_000);
            if (allFree(base)) {
                return base;
            }
        }
        throw new IllegalStateException("no free range of ports");
    }

    private static boolean allFree(int base) {
        for (int offset : PORT_OFFSETS) {
            try (ServerSocket socket = new ServerSocket(base + offset)) {
                socket.setReuseAddress(true);
            } catch (IOException e) {
                return false;
            }
        }
        return true;
    }

    private Process launch() {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules",
                "jdk.incubator.vector",
                "-Xmx1g"));
        command.addAll(jvmOptions);
        command.addAll(List.of("dev.tsumugi.launcher.Tsumugi", "up"));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(
                        ProcessBuilder.Redirect.appendTo(home.resolve("up.out").toFile()));
        builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
        builder.environment().put("TSUMUGI_HOME", home.resolve("state").toString());
        builder.environment().put("TSUMUGI_PORT", Integer.toString(port));
        builder.environment().putAll(environment);
        try {
            return builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void awaitReady() {
        Awaitility.await("the platform answers; its output is in " + home.resolve("up.out"))
                .atMost(START_LIMIT)
                .pollInterval(Duration.ofMillis(200))
                .until(() -> {
                    if (!process.isAlive()) {
                        throw new AssertionError("the launcher ended with " + process.exitValue() + ":\n" + output());
                    }
                    return isReady();
                });
    }

    private boolean isReady() {
        try {
            return get("/actuator/health").statusCode() == 200
                    && Files.exists(keyFile())
                    && post("/api/v1/search", "{\"query\":\"ready\"}").statusCode() == 200
                    && get("/v1/models").statusCode() == 200;
        } catch (UncheckedIOException e) {
            return false;
        }
    }

    /** Ends the launcher as a power cut would; its children end by themselves. */
    void kill() {
        process.destroyForcibly();
        awaitEnd();
    }

    /** Starts again on the same state. */
    void restart() {
        process = launch();
        awaitReady();
    }

    private void awaitEnd() {
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                throw new AssertionError("the launcher does not end:\n" + output());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A language model of two layers that knows nothing. */
    static String tinyModel() {
        return Path.of("../engine/src/test/resources/golden/tiny-llama")
                .toAbsolutePath()
                .normalize()
                .toString();
    }

    int port() {
        return port;
    }

    int kafkaPort() {
        return port + 1012;
    }

    int postgresPort() {
        return port + 1014;
    }

    Path stateFolder() {
        return home.resolve("state");
    }

    long pid() {
        return process.pid();
    }

    String key() {
        try {
            return Files.readString(keyFile()).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path keyFile() {
        return stateFolder().resolve("admin.key");
    }

    HttpResponse<String> get(String path) {
        return send(request(path).GET());
    }

    HttpResponse<String> post(String path, String json) {
        return send(request(path)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(json)));
    }

    HttpRequest.Builder request(String path) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                .timeout(Duration.ofSeconds(120));
        if (Files.exists(keyFile())) {
            builder.header("Authorization", "Bearer " + key());
        }
        return builder;
    }

    /** @throws UncheckedIOException when nothing answers */
    HttpResponse<String> send(HttpRequest.Builder request) {
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(new IOException(e));
        }
    }

    /** Reads a row at a time of a query over all tenants, as the database's administrator. */
    void query(String sql, Row row) throws SQLException {
        try (Connection connection = DriverManager.getConnection(
                        "jdbc:postgresql://127.0.0.1:" + postgresPort() + "/tsumugi", "postgres", databasePassword());
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            while (rows.next()) {
                row.read(rows);
            }
        }
    }

    interface Row {
        void read(ResultSet row) throws SQLException;
    }

    private String databasePassword() {
        try {
            return Files.readAllLines(stateFolder().resolve("postgres").resolve("passwords"))
                    .getFirst();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static JsonNode json(HttpResponse<String> response) {
        return JSON.readTree(response.body());
    }

    String output() {
        try {
            return Files.readString(home.resolve("up.out"));
        } catch (IOException e) {
            return "(no output: " + e.getMessage() + ")";
        }
    }

    @Override
    public void close() {
        process.destroy();
        awaitEnd();
        try (Stream<Path> files = Files.walk(home)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
