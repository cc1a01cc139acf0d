package dev.tsumugi.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tsumugi.contracts.Topics;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Two hundred documents by Kafka and REST in mixed order, updates, repetitions and deletes among them: once in peace, once with the
 * platform killed again and again. Both leave the same index.
 */
class DocumentFlowIT {
    private static final int DOCUMENTS = 200;
    private static final int KILLS = 3;
    private static final Duration SETTLED = Duration.ofMinutes(5);

    /** What a client does; {@code text} is null for a delete. */
    private record Step(String documentId, @Nullable String text, boolean byKafka) {}

    @Test
    void killing_the_platform_between_steps_loses_nothing_duplicates_nothing_and_leaves_no_orphan() throws Exception {
        List<Step> steps = steps(new Random(20261121));
        Map<String, String> expected = new TreeMap<>();
        for (Step step : steps) {
            if (step.text() == null) {
                expected.remove(step.documentId());
            } else {
                expected.put(step.documentId(), step.text());
            }
        }
        assertThat(expected).hasSizeBetween(DOCUMENTS / 2, DOCUMENTS - 1);

        // Nobody asks the language model here, and no Java code computes long enough to be compiled twice: the starts
        // are what takes time.
        try (RunningPlatform platform = RunningPlatform.start(
                List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
                Map.of("TSUMUGI_MODEL", RunningPlatform.tinyModel()))) {
            try (Client client = new Client(platform)) {
                steps.forEach(step -> client.perform("peace", step));
            }
            awaitSettled(platform, "peace", expected);
            List<String> clean = index(platform, "peace");

            Random chance = new Random(7);
            int from = 0;
            for (int kill = 0; kill < KILLS; kill++) {
                int to = kill == KILLS - 1 ? steps.size() : chance.nextInt(from + 10, from + 120);
                try (Client client = new Client(platform)) {
                    steps.subList(from, to).forEach(step -> client.perform("killed", step));
                }
                from = to;
                platform.kill();
                platform.restart();
            }
            awaitSettled(platform, "killed", expected);

            assertThat(index(platform, "killed")).isEqualTo(clean);
            assertThat(largestDistance(platform)).isLessThan(1e-5);
            assertThat(count(platform, "SELECT count(*) FROM retriever.staged_parts"))
                    .as("parts of versions that never became visible")
                    .isZero();
            assertThat(count(platform, """
                            SELECT count(*) FROM retriever.documents d WHERE chunk_count <>
                              (SELECT count(*) FROM retriever.chunks c WHERE c.tenant = d.tenant AND c.document_id = d.document_id)"""))
                    .as("documents whose chunks are not those of their version")
                    .isZero();
            assertThat(states(platform, "killed")).isEqualTo(states(platform, "peace"));
        }
    }

    private static List<Step> steps(Random random) {
        List<Step> steps = new ArrayList<>();
        List<String> ids = IntStream.range(0, DOCUMENTS)
                .mapToObj(i -> (i % 3 == 0 ? "reports/" : "doc-") + i)
                .toList();
        for (String id : ids) {
            steps.add(new Step(id, text(id, 1, random), random.nextBoolean()));
        }
        for (int i = 0; i < DOCUMENTS; i++) {
            String id = ids.get(i);
            if (i % 5 == 0) {
                steps.add(new Step(id, text(id, 2, random), random.nextBoolean()));
            }
            if (i % 11 == 0) {
                Step last = steps.getLast();
                steps.add(new Step(last.documentId(), last.text(), random.nextBoolean()));
            }
            if (i % 7 == 0) {
                steps.add(new Step(id, null, random.nextBoolean()));
            }
            if (i % 35 == 0) {
                steps.add(new Step(id, text(id, 3, random), random.nextBoolean()));
            }
        }
        return steps;
    }

    private static String text(String id, int revision, Random random) {
        String[] subjects = {"The pump", "The order", "A visitor", "Each valve", "The night shift", "One clerk"};
        String[] verbs = {"is checked by", "belongs to", "waits for", "reports to", "is replaced by"};
        String[] objects = {"the east hall", "line seven", "the foreman", "the archive", "a spare part", "the office"};
        return IntStream.range(0, 10 + random.nextInt(25))
                .mapToObj(i -> subjects[random.nextInt(subjects.length)] + " "
                        + verbs[random.nextInt(verbs.length)] + " " + objects[random.nextInt(objects.length)]
                        + " on day "
                        + random.nextInt(1000) + ".")
                .collect(Collectors.joining(" ", "Revision " + revision + " of " + id + ". ", ""));
    }

    /** Sends each step until it is accepted, as a client that must not lose anything does. */
    private static final class Client implements AutoCloseable {
        private final RunningPlatform platform;
        private final KafkaProducer<String, byte[]> producer;

        Client(RunningPlatform platform) {
            this.platform = platform;
            this.producer = new KafkaProducer<>(
                    Map.of("bootstrap.servers", "127.0.0.1:" + platform.kafkaPort(), "acks", "all"),
                    new StringSerializer(),
                    new ByteArraySerializer());
        }

        void perform(String tenant, Step step) {
            if (step.byKafka()) {
                sendByKafka(tenant, step);
            } else {
                await().atMost(SETTLED).pollDelay(Duration.ZERO).until(() -> sendByRest(tenant, step));
            }
        }

        private void sendByKafka(String tenant, Step step) {
            byte[] value = step.text() == null
                    ? null
                    : RunningPlatform.JSON.writeValueAsBytes(
                            Map.of("schemaVersion", 1, "title", step.documentId(), "text", step.text()));
            try {
                producer.send(new ProducerRecord<>(Topics.DOCUMENT_INGEST, tenant + "/" + step.documentId(), value))
                        .get();
            } catch (ExecutionException e) {
                throw new AssertionError(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private boolean sendByRest(String tenant, Step step) {
            HttpRequest.Builder request = platform.request("/api/v1/documents/" + step.documentId())
                    .header("X-Tsumugi-Tenant", tenant)
                    .header("X-Tsumugi-Title", step.documentId())
                    .header("Content-Type", "text/plain; charset=utf-8");
            HttpResponse<String> response = platform.send(
                    step.text() == null
                            ? request.DELETE()
                            : request.PUT(HttpRequest.BodyPublishers.ofString(step.text(), StandardCharsets.UTF_8)));
            // A deletion by REST does not find a document whose record waits in Kafka still.
            assertThat(response.statusCode())
                    .as(response.body())
                    .isIn(step.text() == null ? List.of(202, 404) : List.of(202));
            return response.statusCode() == 202;
        }

        @Override
        public void close() {
            producer.close(Duration.ZERO);
        }
    }

    private static void awaitSettled(RunningPlatform platform, String tenant, Map<String, String> expected) {
        await("the index of " + tenant + " holds exactly the documents sent last")
                .atMost(SETTLED)
                .pollInterval(Duration.ofSeconds(1))
                .untilAsserted(() -> assertThat(firstLines(platform, tenant)).isEqualTo(firstLines(expected)));
    }

    private static Map<String, String> firstLines(Map<String, String> documents) {
        return documents.entrySet().stream()
                .collect(Collectors.toMap(
                        Map.Entry::getKey, entry -> firstSentence(entry.getValue()), (a, b) -> a, TreeMap::new));
    }

    private static Map<String, String> firstLines(RunningPlatform platform, String tenant) throws SQLException {
        Map<String, String> found = new TreeMap<>();
        platform.query(
                "SELECT document_id, text FROM retriever.chunks WHERE tenant = '" + tenant + "' AND start_offset = 0",
                row -> found.put(row.getString(1), firstSentence(row.getString(2))));
        return found;
    }

    private static String firstSentence(String text) {
        return text.substring(0, text.indexOf('.'));
    }

    /** Every chunk of a tenant with its terms, without what counts events: versions and row numbers. */
    private static List<String> index(RunningPlatform platform, String tenant) throws SQLException {
        List<String> rows = new ArrayList<>();
        platform.query("""
                SELECT concat_ws(' | ', document_id, position, start_offset, end_offset, hash, generation, term_count, md5(text),
                         (SELECT md5(string_agg(term || frequency, ',' ORDER BY term)) FROM retriever.postings p WHERE p.chunk_id = c.id))
                  FROM retriever.chunks c WHERE tenant = '%s' ORDER BY document_id, position""".formatted(tenant), row -> rows.add(row.getString(1)));
        return rows;
    }

    /** Vectors of the same text differ in their last bits when they were made in another batch, and in no more. */
    private static double largestDistance(RunningPlatform platform) throws SQLException {
        double[] largest = new double[1];
        platform.query(
                "SELECT max(a.embedding <=> b.embedding) FROM retriever.chunks a JOIN retriever.chunks b"
                        + " ON a.document_id = b.document_id AND a.position = b.position"
                        + " WHERE a.tenant = 'peace' AND b.tenant = 'killed'",
                row -> largest[0] = row.getDouble(1));
        return largest[0];
    }

    private static int count(RunningPlatform platform, String query) throws SQLException {
        int[] count = new int[1];
        platform.query(query, row -> count[0] = row.getInt(1));
        return count[0];
    }

    private static Map<String, String> states(RunningPlatform platform, String tenant) throws SQLException {
        Map<String, String> states = new TreeMap<>();
        platform.query(
                "SELECT id, state, chunks FROM ingest.documents WHERE tenant = '" + tenant + "'",
                row -> states.put(row.getString(1), row.getString(2) + " " + row.getInt(3)));
        return states;
    }
}
