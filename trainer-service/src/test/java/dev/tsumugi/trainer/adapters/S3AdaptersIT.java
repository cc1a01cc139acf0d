package dev.tsumugi.trainer.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.trainer.PythonPrograms;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Object;

/** Adapters in a bucket of a server that speaks S3's protocol (moto's); with {@code -Dtsumugi.test.python=true} only. */
class S3AdaptersIT {
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final Path R8 = RunningTrainer.R8;
    private static final Path R4 = RunningTrainer.R4;
    private static final long MOST_BYTES = 1 << 20;
    /** S3 knows whole seconds, and a grace that is negative has passed at once. */
    private static final Duration PASSED = Duration.ofSeconds(-2);

    @TempDir
    static Path temporary;

    private static Path programs;
    private static Process server;
    private static String endpoint;
    private static S3Client s3;

    @BeforeAll
    static void start() throws Exception {
        programs = PythonPrograms.of("moto[s3,server]==5.1.22");
        int port = freePort();
        endpoint = "http://127.0.0.1:" + port;
        server = serve(programs, port);
        // Where the SDK's default chain looks first.
        System.setProperty("aws.accessKeyId", "test");
        System.setProperty("aws.secretAccessKey", "test");
        System.setProperty("aws.region", "eu-central-1");
        s3 = client(endpoint);
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    private static Process serve(Path programs, int port) throws IOException {
        Process started = new ProcessBuilder(
                        programs.resolve("moto_server").toString(), "-H", "127.0.0.1", "-p", "" + port)
                .redirectErrorStream(true)
                .redirectOutput(temporary.resolve("moto-" + port + ".log").toFile())
                .start();
        await().atMost(LONG)
                .ignoreExceptions()
                .failFast("moto_server has ended", () -> !started.isAlive())
                .until(() -> {
                    new Socket("127.0.0.1", port).close();
                    return true;
                });
        return started;
    }

    private static S3Client client(String endpoint) {
        return S3Client.builder()
                .endpointOverride(URI.create(endpoint))
                .forcePathStyle(true)
                .build();
    }

    @AfterAll
    static void stop() throws InterruptedException {
        System.clearProperty("aws.accessKeyId");
        System.clearProperty("aws.secretAccessKey");
        System.clearProperty("aws.region");
        if (s3 != null) {
            s3.close();
        }
        if (server != null) {
            server.destroyForcibly().waitFor();
        }
    }

    /** A trainer's store in a new folder. */
    private static StoredAdapters on(String bucket) throws IOException {
        return on(bucket, "adapters/", endpoint);
    }

    private static StoredAdapters on(String bucket, String prefix, String endpoint) throws IOException {
        return new StoredAdapters(
                new AdapterStore(
                        Files.createTempDirectory(temporary, "folder"), PeftAdapter::digestOf, Clock.systemUTC()),
                new AdapterBucket(new AdapterProperties.S3(bucket, prefix, endpoint, true)),
                MOST_BYTES,
                Clock.systemUTC());
    }

    private static String newBucket(String name) {
        return newBucket(s3, name);
    }

    private static String newBucket(S3Client s3, String name) {
        s3.createBucket(create ->
                create.bucket(name).createBucketConfiguration(where -> where.locationConstraint("eu-central-1")));
        return name;
    }

    private static boolean has(String bucket, String digest) {
        return has(s3, bucket, "adapters/", digest);
    }

    private static boolean has(S3Client s3, String bucket, String prefix, String digest) {
        return s3.listObjectsV2(list -> list.bucket(bucket).prefix(prefix + digest))
                        .keyCount()
                == AdapterStore.FILES.size();
    }

    @Test
    void what_one_trainer_stores_another_on_another_machine_finds_byte_for_byte() throws IOException {
        String bucket = newBucket("shared");
        try (StoredAdapters one = on(bucket);
                StoredAdapters other = on(bucket)) {
            AdapterStore.Stored stored = one.put(R8);
            Path found = other.find(stored.digest()).orElseThrow();
            assertThat(found).isNotEqualTo(stored.folder());
            for (String file : AdapterStore.FILES) {
                assertThat(found.resolve(file)).hasSameBinaryContentAs(R8.resolve(file));
            }
            assertThat(other.find(PeftAdapter.digestOf(R4))).isEmpty();
            assertThat(other.find("../up")).isEmpty();
        }
    }

    @Test
    void what_the_bucket_holds_damaged_too_large_or_in_part_is_not_taken() throws IOException {
        String bucket = newBucket("damaged");
        try (StoredAdapters one = on(bucket);
                StoredAdapters other = on(bucket)) {
            String digest = one.put(R8).digest();
            String weights = "adapters/" + digest + "/adapter_model.safetensors";
            byte[] content = Files.readAllBytes(R8.resolve("adapter_model.safetensors"));
            content[content.length - 1] ^= 1;
            s3.putObject(put -> put.bucket(bucket).key(weights), RequestBody.fromBytes(content));
            assertThatThrownBy(() -> other.find(digest))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(digest)
                    .hasMessageContaining("damaged");
            s3.putObject(put -> put.bucket(bucket).key(weights), RequestBody.fromBytes(new byte[(int) MOST_BYTES + 1]));
            assertThatThrownBy(() -> other.find(digest))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("larger");
            s3.deleteObject(delete -> delete.bucket(bucket).key(weights));
            assertThat(other.find(digest)).as("without its weights").isEmpty();
            one.put(R8);
            assertThat(other.find(digest)).as("stored again").isPresent();
        }
    }

    @Test
    void what_no_name_needs_leaves_the_bucket_after_the_grace_and_what_is_needed_comes_back() throws IOException {
        String bucket = newBucket("collected");
        try (StoredAdapters store = on(bucket)) {
            String needed = store.put(R8).digest();
            String unneeded = store.put(R4).digest();
            store.collect(Duration.ofHours(1), Set.of(needed)::contains);
            assertThat(has(bucket, unneeded)).as("within its grace").isTrue();
            for (String file : AdapterStore.FILES) {
                s3.deleteObject(delete -> delete.bucket(bucket).key("adapters/" + needed + "/" + file));
                store.collect(PASSED, Set.of(needed)::contains);
                assertThat(has(bucket, unneeded)).isFalse();
                assertThat(has(bucket, needed)).as("after %s was deleted", file).isTrue();
            }
        }
    }

    @Test
    void objects_that_are_no_adapter_of_this_prefix_survive_the_collection() throws IOException {
        String bucket = newBucket("foreign");
        String digest = PeftAdapter.digestOf(R4);
        Set<String> foreign = Set.of(
                "adapters/support/adapter_model.safetensors",
                "adapters/support/adapter_config.json",
                "adapters/" + digest.toUpperCase(Locale.ROOT) + "/adapter_model.safetensors",
                "adapters/" + digest + "/adapter_model.safetensors/",
                "adapters/" + digest + "/README.md",
                "adapters/backup/" + digest + "/adapter_model.safetensors",
                "adapters2/" + digest + "/adapter_model.safetensors",
                digest + "/adapter_model.safetensors");
        for (String key : foreign) {
            s3.putObject(put -> put.bucket(bucket).key(key), RequestBody.fromString("somebody's"));
        }
        try (StoredAdapters store = on(bucket);
                StoredAdapters neighbour = on(bucket, "second/adapters/", endpoint)) {
            store.put(R4);
            neighbour.put(R4);
            store.collect(PASSED, any -> false);
            assertThat(has(s3, bucket, "second/adapters/", digest))
                    .as("another installation's")
                    .isTrue();
            neighbour.collect(PASSED, any -> false);
        }
        assertThat(s3.listObjectsV2(list -> list.bucket(bucket)).contents())
                .extracting(S3Object::key)
                .containsExactlyInAnyOrderElementsOf(foreign);
    }

    @Test
    void what_is_published_while_the_bucket_cannot_be_reached_is_brought_there_when_it_can() throws Exception {
        int port = freePort();
        String away = "http://127.0.0.1:" + port;
        try (StoredAdapters store = on("away", "adapters/", away)) {
            AdapterStore.Stored stored = store.put(R8);
            String unneeded = store.put(R4).digest();
            assertThat(store.find(stored.digest())).contains(stored.folder());
            Process later = serve(programs, port);
            try (S3Client there = client(away)) {
                newBucket(there, "away");
                store.collect(Duration.ofHours(1), Set.of(stored.digest())::contains);
                assertThat(has(there, "away", "adapters/", stored.digest())).isTrue();
                assertThat(has(there, "away", "adapters/", unneeded))
                        .as("what no name needs")
                        .isFalse();
            } finally {
                later.destroyForcibly().waitFor();
            }
        }
    }

    @Test
    void settings_that_cannot_work_are_told_at_the_start() throws IOException {
        String bucket = newBucket("settings");
        for (String prefix : List.of("adapters", "/adapters/", "../", "a//")) {
            assertThatThrownBy(() -> on(bucket, prefix, endpoint))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("TSUMUGI_S3_PREFIX");
        }
        for (String wrong : List.of("no address", "localhost")) {
            assertThatThrownBy(() -> on(bucket, "", wrong))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("TSUMUGI_S3_ENDPOINT");
        }
        // So that nothing outside the test is asked or found.
        System.setProperty("aws.disableEc2Metadata", "true");
        System.setProperty("aws.configFile", temporary.resolve("none").toString());
        System.setProperty(
                "aws.sharedCredentialsFile", temporary.resolve("none").toString());
        System.clearProperty("aws.region");
        try {
            on(bucket, "", endpoint).close();
            assertThatThrownBy(() -> on(bucket, "", ""))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("Unable to load region")
                    .hasMessageContaining("AWS_REGION");
            System.clearProperty("aws.secretAccessKey");
            assertThatThrownBy(() -> on(bucket))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("Unable to load credentials")
                    .hasMessageContaining("AWS_SECRET_ACCESS_KEY");
        } finally {
            System.setProperty("aws.secretAccessKey", "test");
            System.setProperty("aws.region", "eu-central-1");
            System.clearProperty("aws.disableEc2Metadata");
            System.clearProperty("aws.configFile");
            System.clearProperty("aws.sharedCredentialsFile");
        }
    }

    @Test
    void a_large_adapter_may_take_as_long_as_a_slow_line_needs() {
        long bytes = 256L << 20;
        assertThat(AdapterBucket.uploadLimit(bytes)).isGreaterThan(Duration.ofSeconds(bytes / 1_000_000));
    }

    @Test
    void a_bucket_that_is_not_there_is_told_at_the_start_and_one_that_fails_later_when_it_is_needed()
            throws IOException {
        assertThatThrownBy(() -> on("nobody-made-it"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("nobody-made-it")
                .hasMessageContaining("TSUMUGI_S3_BUCKET");
        String bucket = newBucket("vanishing");
        try (StoredAdapters store = on(bucket);
                StoredAdapters other = on(bucket)) {
            String digest = store.put(R8).digest();
            for (String file : AdapterStore.FILES) {
                s3.deleteObject(delete -> delete.bucket(bucket).key("adapters/" + digest + "/" + file));
            }
            s3.deleteBucket(delete -> delete.bucket(bucket));
            assertThat(store.put(R4).folder()).as("in the folder").isDirectory();
            assertThatThrownBy(() -> other.find(digest))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(bucket);
            assertThat(store.find(digest)).as("its folder has it").isPresent();
        }
    }
}
