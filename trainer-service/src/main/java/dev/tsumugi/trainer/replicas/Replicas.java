package dev.tsumugi.trainer.replicas;

import dev.tsumugi.platform.web.InternalClients;
import dev.tsumugi.platform.web.ProblemException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;

/** Several of one service, each of which can answer any call. Safe for use by many threads. */
public final class Replicas {
    private static final Logger log = LoggerFactory.getLogger(Replicas.class);
    /** In which one that failed is asked only when all others have failed too. */
    private static final Duration REST = Duration.ofSeconds(10);

    private final List<Replica> replicas;

    /** @param limit of one call, until the answer's headers are there */
    public Replicas(InternalClients clients, List<URI> urls, Duration limit) {
        if (urls.isEmpty()) {
            throw new IllegalArgumentException("there is no replica; name at least one address");
        }
        replicas = urls.stream()
                .map(url -> new Replica(url, clients.client(url.toString(), limit)))
                .toList();
    }

    /** One of them, and how it does. */
    private static final class Replica {
        private final URI url;
        private final RestClient client;
        private final AtomicInteger calls = new AtomicInteger();
        private volatile long restsUntil = System.nanoTime();

        Replica(URI url, RestClient client) {
            this.url = url;
            this.client = client;
        }

        boolean rests() {
            return System.nanoTime() - restsUntil < 0;
        }
    }

    /** A replica with what the sorting looks at, which may change meanwhile. */
    private record Standing(Replica replica, boolean rests, int calls) {}

    /** What is asked of whichever replica; its answer may be empty. */
    @FunctionalInterface
    public interface Call<T> {
        @Nullable
        T of(RestClient replica);
    }

    public int count() {
        return replicas.size();
    }

    /** Of each alone. */
    public List<RestClient> each() {
        return replicas.stream().map(replica -> replica.client).toList();
    }

    /**
     * Asks the one with the fewest calls on their way, and when that does not answer, or fails, the others.
     *
     * @throws ResourceAccessException when none answers, or the last one did not
     * @throws ProblemException when one refuses the call, or the last one failed
     */
    public <T> @Nullable T call(Call<T> call) {
        RuntimeException failure = null;
        for (Replica replica : inOrder()) {
            replica.calls.incrementAndGet();
            try {
                return call.of(replica.client);
            } catch (ResourceAccessException e) {
                failure = failed(replica, e);
            } catch (ProblemException e) {
                if (!e.getStatusCode().is5xxServerError()) {
                    throw e;
                }
                failure = failed(replica, e);
            } finally {
                replica.calls.decrementAndGet();
            }
        }
        throw failure == null ? new IllegalStateException("no replica was asked") : failure;
    }

    private List<Replica> inOrder() {
        List<Standing> order = new ArrayList<>();
        replicas.forEach(replica -> order.add(new Standing(replica, replica.rests(), replica.calls.get())));
        order.sort(Comparator.comparing(Standing::rests).thenComparing(Standing::calls));
        return order.stream().map(Standing::replica).toList();
    }

    private static RuntimeException failed(Replica replica, RuntimeException e) {
        if (!replica.rests()) {
            log.warn("{} does not answer, or fails: {}", replica.url, e.getMessage());
        }
        replica.restsUntil = System.nanoTime() + REST.toNanos();
        return e;
    }
}
