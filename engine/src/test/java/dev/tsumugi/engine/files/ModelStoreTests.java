package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.model.ModelFiles;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** References and downloads, against an HTTP server here that behaves like the hub. */
class ModelStoreTests {
    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    @TempDir
    Path cache;

    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final List<String> tokensSeenElsewhere = new CopyOnWriteArrayList<>();
    private HttpServer hub;
    private HttpServer elsewhere;
    private volatile int cutAfter = Integer.MAX_VALUE;
    private volatile boolean corrupt;
    private volatile int listingStatus = 200;

    @BeforeEach
    void start() throws IOException {
        hub = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        hub.createContext("/api/models/owner/name/revision/main", this::list);
        hub.createContext("/owner/name/resolve/" + COMMIT + "/", this::redirect);
        hub.start();
        elsewhere = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        elsewhere.createContext("/", this::send);
        elsewhere.start();
    }

    @AfterEach
    void stop() {
        hub.stop(0);
        elsewhere.stop(0);
    }

    @Test
    void a_repository_is_fetched_once_and_opens() throws IOException {
        serveTinyQwen();
        files.put("README.md", new byte[10]);

        Path folder = store().locate("owner/name");

        assertThat(folder).endsWithRaw(Path.of("owner--name", COMMIT));
        assertThat(folder.resolve("README.md")).doesNotExist();
        try (ModelFiles model = ModelStore.openPath(folder)) {
            assertThat(model.tensor("model.norm.weight")).isPresent();
        }
        int before = requests.size();
        assertThat(store().locate("owner/name")).isEqualTo(folder);
        assertThat(requests).hasSize(before + 1); // the listing alone
    }

    @Test
    void the_token_goes_to_the_hub_and_nowhere_else() throws IOException {
        serveTinyQwen();

        store().locate("owner/name");

        assertThat(requests).allMatch(r -> r.endsWith("Bearer hf_secret"));
        assertThat(tokensSeenElsewhere).isEmpty();
    }

    @Test
    void a_broken_download_goes_on_where_it_stopped() throws IOException {
        files.put("model.gguf", Files.readAllBytes(Golden.path("gguf/tiny-llama.gguf")));
        cutAfter = 50_000;
        List<Long> progress = new ArrayList<>();

        Path file = store((name, done, total) -> progress.add(done)).locate("owner/name");

        assertThat(file).hasBinaryContent(files.get("model.gguf"));
        assertThat(progress).containsExactly(50_000L, 100_000L, (long) files.get("model.gguf").length);
    }

    @Test
    void bytes_that_are_not_the_announced_ones_are_thrown_away() throws IOException {
        files.put("model.gguf", Files.readAllBytes(Golden.path("gguf/tiny-llama.gguf")));
        corrupt = true;
        assertThatThrownBy(() -> store().locate("owner/name"))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("SHA-256");

        corrupt = false;
        assertThat(store().locate("owner/name")).hasBinaryContent(files.get("model.gguf"));
    }

    @Test
    void one_of_several_gguf_files_must_be_named() throws IOException {
        files.put("a-Q4_0.gguf", new byte[] {1});
        files.put("a-Q8_0.gguf", new byte[] {2});

        assertThatThrownBy(() -> store().locate("owner/name"))
                .hasMessageContaining("2 GGUF files")
                .hasMessageContaining("owner/name:FILE, of a-Q4_0.gguf, a-Q8_0.gguf");
        assertThat(store().locate("owner/name:a-Q8_0.gguf")).hasBinaryContent(new byte[] {2});
        assertThatThrownBy(() -> store().locate("owner/name:b.gguf")).hasMessageContaining("no file b.gguf");
    }

    @Test
    void names_that_lead_out_of_the_folder_are_not_fetched() throws IOException {
        files.put("../../evil.gguf", new byte[] {1});
        files.put("sub/model.gguf", new byte[] {1});

        assertThatThrownBy(() -> store().locate("owner/name")).hasMessageContaining("neither safetensors nor GGUF");
    }

    @Test
    void what_the_hub_refuses_says_what_to_do() {
        listingStatus = 401;
        assertThatThrownBy(() -> store().locate("owner/name"))
                .hasMessageContaining("HF_TOKEN")
                .hasMessageNotContaining("hf_secret");
        listingStatus = 404;
        assertThatThrownBy(() -> store().locate("owner/name")).hasMessageContaining("Check the name");
        assertThatThrownBy(() -> store().locate("owner/absent")).hasMessageContaining("Check the name");
    }

    @Test
    void without_the_hub_what_was_fetched_before_is_used() throws IOException {
        files.put("model.gguf", Files.readAllBytes(Golden.path("gguf/tiny-llama.gguf")));
        Path fetched = store().locate("owner/name");
        listingStatus = 503;

        assertThat(store().locate("owner/name")).isEqualTo(fetched);
        assertThatThrownBy(() -> store().locate("owner/name:other.gguf")).hasMessageContaining("cannot be reached");
    }

    @Test
    void a_local_path_comes_before_the_hub() throws IOException {
        Path file = Golden.path("gguf/tiny-llama.gguf");

        assertThat(store().locate(file.toString())).isEqualTo(file);
        try (ModelFiles model = store().open(Golden.path("tiny-llama").toString())) {
            assertThat(model.config().layers()).isEqualTo(2);
        }
        Path folder = Files.createDirectory(cache.resolve("one"));
        assertThatThrownBy(() -> ModelStore.openPath(folder)).hasMessageContaining("neither config.json nor");
        Files.copy(file, folder.resolve("x.gguf"));
        try (ModelFiles model = ModelStore.openPath(folder)) {
            assertThat(model.config().layers()).isEqualTo(2);
        }
        assertThat(requests).isEmpty();
    }

    @Test
    void the_catalogue_names_the_unpacked_default_model() throws IOException {
        assertThatThrownBy(() -> store().locate(ModelStore.DEFAULT_MODEL)).hasMessageContaining("./tsumugi up");
        Path file = cache.resolve("models/SmolLM2-135M-Instruct-Q4_1.gguf");
        Files.createDirectories(file.getParent());
        Files.createFile(file);
        assertThat(store().locate(ModelStore.DEFAULT_MODEL)).isEqualTo(file);
    }

    @Test
    void a_reference_that_is_nothing_says_what_there_is() {
        for (String reference : List.of("nonsense", "/no/such/file.gguf", "folder/model.gguf", "a/../b", "a/b/c")) {
            assertThatThrownBy(() -> store().locate(reference))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessageContaining(ModelStore.DEFAULT_MODEL);
        }
        assertThatThrownBy(() -> store().locate(" ")).hasMessageContaining("TSUMUGI_MODEL");
        assertThat(requests).isEmpty();
    }

    @Test
    void the_cache_is_where_the_environment_says() {
        assertThat(ModelStore.defaultCache(Map.of("TSUMUGI_CACHE", "/a")::get)).isEqualTo(Path.of("/a"));
        assertThat(ModelStore.defaultCache(Map.of("XDG_CACHE_HOME", "/x")::get)).isEqualTo(Path.of("/x/tsumugi"));
        assertThat(ModelStore.defaultCache(name -> null)).endsWith(Path.of(".cache", "tsumugi"));
    }

    private ModelStore store() {
        return store((name, done, total) -> {});
    }

    private ModelStore store(ModelStore.DownloadListener listener) {
        URI uri = URI.create("http://localhost:" + hub.getAddress().getPort());
        return new ModelStore(cache, new HubClient(uri, "hf_secret", Duration.ofMillis(1)), listener);
    }

    private void serveTinyQwen() throws IOException {
        try (var listed = Files.list(Golden.path("tiny-qwen2"))) {
            for (Path file : listed.toList()) {
                if (!file.getFileName().toString().startsWith("expected")) {
                    files.put(file.getFileName().toString(), Files.readAllBytes(file));
                }
            }
        }
    }

    private void list(HttpExchange exchange) throws IOException {
        note(exchange);
        List<String> siblings = new ArrayList<>();
        files.forEach((name, bytes) -> siblings.add("{\"rfilename\":\"" + name + "\",\"size\":" + bytes.length
                + (name.endsWith(".json")
                        ? ""
                        : ",\"lfs\":{\"size\":" + bytes.length + ",\"sha256\":\"" + sha256(bytes) + "\"}")
                + "}"));
        byte[] json = ("{\"sha\":\"" + COMMIT + "\",\"siblings\":[" + String.join(",", siblings) + "]}")
                .getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(listingStatus, json.length);
        exchange.getResponseBody().write(json);
        exchange.close();
    }

    private void redirect(HttpExchange exchange) throws IOException {
        note(exchange);
        String name = Path.of(exchange.getRequestURI().getPath()).getFileName().toString();
        exchange.getResponseHeaders()
                .set("Location", "http://localhost:" + elsewhere.getAddress().getPort() + "/" + name);
        exchange.sendResponseHeaders(302, -1);
        exchange.close();
    }

    /** Honours ranges; cuts an answer off after {@code cutAfter} bytes. */
    private void send(HttpExchange exchange) throws IOException {
        String token = exchange.getRequestHeaders().getFirst("Authorization");
        if (token != null) {
            tokensSeenElsewhere.add(token);
        }
        byte[] bytes =
                files.get(exchange.getRequestURI().getPath().substring(1)).clone();
        if (corrupt) {
            bytes[bytes.length / 2] ^= 1;
        }
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
        if (from > 0) {
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (bytes.length - 1) + "/" + bytes.length);
        }
        int count = Math.min(cutAfter, bytes.length - from);
        exchange.sendResponseHeaders(from > 0 ? 206 : 200, count);
        exchange.getResponseBody().write(bytes, from, count);
        exchange.close();
    }

    private void note(HttpExchange exchange) {
        requests.add(
                exchange.getRequestURI() + " " + exchange.getRequestHeaders().getFirst("Authorization"));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
