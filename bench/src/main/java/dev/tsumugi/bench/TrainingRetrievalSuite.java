package dev.tsumugi.bench;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.contracts.Topics;
import dev.tsumugi.contracts.event.DocumentChunks;
import dev.tsumugi.embed.EmbedApplication;
import dev.tsumugi.embedded.EmbeddedKafka;
import dev.tsumugi.embedded.EmbeddedPostgres;
import dev.tsumugi.platform.kafka.EventPublisher;
import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.retriever.RetrieverApplication;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.replicas.Replicas;
import dev.tsumugi.trainer.retrieval.Contexts;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * How long a training step waits for its contexts, by the number of those who train and of retrievers: real retrievers and a real embedding
 * model over one PostgreSQL. A step rests for {@value #STEP_MILLIS} ms where a model would compute, on other processors than the retrievers': less
 * than this trainer takes for as many examples of 384 tokens on two cores (2.4 s).
 * Beside it how long the same contexts take when nobody has fetched them ahead. After the table in "Retrieval Augmented Generation with
 * Huggingface Transformers and Ray" (2021), which asks the same of 2, 3 and 4 training workers.
 */
final class TrainingRetrievalSuite implements Suite {
    private static final String TENANT = "bench";
    private static final String TOKEN = "bench-" + new Random().nextLong();
    private static final int DOCUMENTS = 300;
    private static final int STEPS = 5;
    private static final int CONTEXTS_OF_STEP = 4;
    private static final int PASSAGES = 5;
    private static final int STEP_MILLIS = 2000;
    private static final int[] TRAINERS = {2, 3, 4};
    private static final int[] RETRIEVERS = {1, 2, 4};
    /** A part of the step's own time; what is above is no longer hidden behind it. */
    private static final double MOST_WAITING = 0.1;

    private static final Duration LIMIT = Duration.ofSeconds(30);

    @Override
    public String name() {
        return "training-retrieval";
    }

    @Override
    public String description() {
        return "Seconds that a training step of " + CONTEXTS_OF_STEP + " examples waits for its contexts, of "
                + PASSAGES + " passages each";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        Path work;
        try {
            work = Files.createTempDirectory("tsumugi-bench-retrieval");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<ConfigurableApplicationContext> services = new ArrayList<>();
        try (EmbeddedKafka kafka = EmbeddedKafka.temporary();
                EmbeddedPostgres postgres = EmbeddedPostgres.temporary()) {
            try {
                List<URI> retrievers = start(kafka, postgres, work, services);
                fill(services.getLast().getBean(EventPublisher.class), retrievers);
                measure(retrievers, figures);
            } finally {
                services.reversed().forEach(ConfigurableApplicationContext::close);
            }
        } finally {
            delete(work);
        }
    }

    private static List<URI> start(
            EmbeddedKafka kafka, EmbeddedPostgres postgres, Path work, List<ConfigurableApplicationContext> services) {
        Map<String, Object> common = Map.of(
                "server.port",
                "0",
                "spring.kafka.bootstrap-servers",
                kafka.bootstrapServers(),
                "tsumugi.internal-token",
                TOKEN);
        Map<String, Object> embed = new HashMap<>(common);
        embed.put("tsumugi.embed.cache", work);
        services.add(EmbedApplication.start(embed));
        URI embedUrl = url(services.getLast());
        List<URI> retrievers = new ArrayList<>();
        for (int i = 0; i < Arrays.stream(RETRIEVERS).max().orElseThrow(); i++) {
            Map<String, Object> retriever = new HashMap<>(common);
            retriever.put("spring.datasource.url", postgres.jdbcUrl());
            retriever.put("spring.datasource.username", postgres.username());
            retriever.put("spring.datasource.password", postgres.password());
            retriever.put("tsumugi.retriever.embed-url", embedUrl);
            services.add(RetrieverApplication.start(retriever));
            retrievers.add(url(services.getLast()));
        }
        return retrievers;
    }

    private static URI url(ConfigurableApplicationContext service) {
        return URI.create("http://127.0.0.1:" + service.getEnvironment().getProperty("local.server.port"));
    }

    private static String text(int document) {
        return "The pump number " + document + " of the plant was made in the year " + (1900 + document % 100)
                + " and moves " + (document * 7 + 11) + " litres of water in an hour, as the sheet says.";
    }

    private static void fill(EventPublisher events, List<URI> retrievers) {
        for (int i = 0; i < DOCUMENTS; i++) {
            String id = "pump-" + i;
            String text = text(i);
            events.sendAndWait(
                    Topics.DOCUMENT_CHUNKS,
                    new DocumentKey(TENANT, id).toString(),
                    new DocumentChunks(
                            DocumentChunks.SCHEMA_VERSION,
                            TENANT,
                            id,
                            1,
                            hash(id + text),
                            "",
                            Map.of(),
                            List.of(),
                            false,
                            0,
                            1,
                            List.of(new DocumentChunks.Chunk(0, 0, text.length(), hash(text), "", text)),
                            "1"));
        }
        long begin = System.nanoTime();
        List<SetMember> all =
                IntStream.range(0, DOCUMENTS).mapToObj(i -> question(i, 0)).toList();
        Contexts contexts = contexts(retrievers);
        while (true) {
            try (Contexts.Prefetch found = contexts.prefetch(TENANT, all, PASSAGES)) {
                boolean complete = true;
                while (found.hasNext()) {
                    complete &= found.next().example().contexts().size() == PASSAGES;
                }
                if (complete) {
                    return;
                }
            }
            BenchException.require(
                    System.nanoTime() - begin < 60e9, "the documents were not searchable within a minute");
            LockSupport.parkNanos(500_000_000);
        }
    }

    /** @param variant another wording, so that no vector of an earlier question helps; a letter, because a number would be another pump's */
    private static SetMember question(int document, int variant) {
        return new SetMember(
                Split.TRAIN,
                "import",
                Example.checked(
                        document + "-" + variant,
                        "How many litres an hour does pump number " + document + " move, in try "
                                + (char) ('a' + variant) + "?",
                        List.of(),
                        Integer.toString(document * 7 + 11),
                        true));
    }

    private static Contexts contexts(List<URI> retrievers) {
        return new Contexts(new Replicas(new InternalClients(TOKEN), retrievers, LIMIT), 2, document -> Split.TRAIN);
    }

    private static void measure(List<URI> all, Consumer<Figure> figures) {
        int variant = 1;
        int processors = Runtime.getRuntime().availableProcessors();
        for (int retrievers : RETRIEVERS) {
            List<URI> used = all.subList(0, retrievers);
            for (int trainers : TRAINERS) {
                double[] ahead = waits(used, trainers, variant++, true);
                double[] alone = waits(used, trainers, variant++, false);
                String who = ", " + trainers + " that train, " + retrievers + " retrievers";
                figures.accept(new Figure("step waits for contexts" + who, "s", ahead, processors, -1));
                figures.accept(new Figure("the same fetched on demand" + who, "s", alone, processors, -1));
                double median = new Figure("", "s", ahead, processors, -1).median();
                BenchException.require(
                        median < MOST_WAITING * STEP_MILLIS / 1000,
                        "a step waits " + median + " s for its contexts" + who + ": the table is not flat");
            }
        }
    }

    /** @return seconds of every step but the first, of all that train */
    private static double[] waits(List<URI> retrievers, int trainers, int variant, boolean ahead) {
        try (ExecutorService executor = Executors.newFixedThreadPool(trainers)) {
            List<Future<double[]>> running = new ArrayList<>();
            for (int t = 0; t < trainers; t++) {
                int first = t * STEPS * CONTEXTS_OF_STEP;
                List<SetMember> members = IntStream.range(0, STEPS * CONTEXTS_OF_STEP)
                        .mapToObj(i -> question((first + i) % DOCUMENTS, variant))
                        .toList();
                running.add(executor.submit(() -> train(retrievers, members, ahead)));
            }
            return running.stream()
                    .flatMapToDouble(one -> {
                        try {
                            return Arrays.stream(one.get());
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                            throw new BenchException("interrupted", e);
                        } catch (ExecutionException e) {
                            throw new BenchException("the retrievers failed: " + e.getCause(), e);
                        }
                    })
                    .toArray();
        }
    }

    private static double[] train(List<URI> retrievers, List<SetMember> members, boolean ahead) {
        Contexts contexts = contexts(retrievers);
        double[] seconds = new double[STEPS - 1];
        Contexts.Prefetch prefetch = ahead ? contexts.prefetch(TENANT, members, PASSAGES) : null;
        try {
            for (int step = 0; step < STEPS; step++) {
                List<SetMember> wanted = members.subList(step * CONTEXTS_OF_STEP, (step + 1) * CONTEXTS_OF_STEP);
                long begin = System.nanoTime();
                List<SetMember> found = new ArrayList<>();
                if (prefetch != null) {
                    wanted.forEach(unused -> found.add(prefetch.next()));
                } else {
                    try (Contexts.Prefetch now = contexts.prefetch(TENANT, wanted, PASSAGES)) {
                        now.forEachRemaining(found::add);
                    }
                }
                if (step > 0) {
                    seconds[step - 1] = (System.nanoTime() - begin) / 1e9;
                }
                found.forEach(TrainingRetrievalSuite::check);
                LockSupport.parkNanos(STEP_MILLIS * 1_000_000L);
            }
        } finally {
            if (prefetch != null) {
                prefetch.close();
            }
        }
        return seconds;
    }

    private static void check(SetMember member) {
        BenchException.require(
                member.example().contexts().size() == PASSAGES
                        && member.example().contexts().stream()
                                .anyMatch(text ->
                                        text.contains(" " + member.example().answer() + " litres")),
                "the contexts of '" + member.example().question() + "' do not hold its answer: "
                        + member.example().contexts());
    }

    private static String hash(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(java.util.Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
