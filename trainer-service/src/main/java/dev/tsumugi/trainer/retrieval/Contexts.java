package dev.tsumugi.trainer.retrieval;

import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.replicas.Replicas;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.springframework.http.MediaType;

/**
 * Fetches passages for examples that bring none, from all retrievers, ahead of whoever takes them, so that he waits for none. Only open
 * documents are read: what a model learns it may tell to everybody who asks it. Passages of documents of another split are left out, for what
 * is held out must not be learned from.
 */
public final class Contexts {
    /** Examples that are fetched, or ready, ahead of the one that is taken, for each worker. */
    private static final int AHEAD = 4;

    private final Replicas retrievers;
    private final int workers;
    private final Function<String, Split> splitOfDocument;

    /** @param workers calls at once to each retriever */
    public Contexts(Replicas retrievers, int workers, Function<String, Split> splitOfDocument) {
        this.retrievers = retrievers;
        this.workers = workers * retrievers.count();
        this.splitOfDocument = splitOfDocument;
    }

    /**
     * Begins to fetch.
     *
     * @param members in the order in which they will come
     * @param passages most of them for one example
     */
    public Prefetch prefetch(String tenant, List<SetMember> members, int passages) {
        return new Prefetch(members.iterator(), member -> filled(tenant, member, passages));
    }

    /** Examples with their passages, one after another. {@link #next} throws what the retrievers threw when none of them answers. For one thread. */
    public final class Prefetch implements Iterator<SetMember>, AutoCloseable {
        private final Iterator<SetMember> members;
        private final Function<SetMember, SetMember> fetch;
        private final ExecutorService executor = Executors.newFixedThreadPool(
                workers, Thread.ofVirtual().name("contexts-", 0).factory());
        private final Deque<CompletableFuture<SetMember>> ahead = new ArrayDeque<>();

        private Prefetch(Iterator<SetMember> members, Function<SetMember, SetMember> fetch) {
            this.members = members;
            this.fetch = fetch;
            fetchAhead();
        }

        private void fetchAhead() {
            while (ahead.size() < AHEAD * workers && members.hasNext()) {
                SetMember member = members.next();
                ahead.add(CompletableFuture.supplyAsync(() -> fetch.apply(member), executor));
            }
        }

        @Override
        public boolean hasNext() {
            return !ahead.isEmpty();
        }

        @Override
        public SetMember next() {
            CompletableFuture<SetMember> first = ahead.poll();
            if (first == null) {
                throw new NoSuchElementException("all examples were taken");
            }
            fetchAhead();
            try {
                return first.join();
            } catch (CompletionException e) {
                throw e.getCause() instanceof RuntimeException cause ? cause : e;
            }
        }

        /** Ends what is being fetched. */
        @Override
        public void close() {
            executor.shutdownNow();
            executor.close();
        }
    }

    private SetMember filled(String tenant, SetMember member, int passages) {
        Example example = member.example();
        if (!example.contexts().isEmpty()) {
            return member;
        }
        SearchResponse found = retrievers.call(retriever -> retriever
                .post()
                .uri("/internal/search")
                .headers(headers -> new Caller(tenant, List.of(), false).writeTo(headers))
                .contentType(MediaType.APPLICATION_JSON)
                .body(new SearchRequest(example.question(), passages, null, null))
                .retrieve()
                .body(SearchResponse.class));
        List<SearchResponse.Hit> hits = found == null
                ? List.of()
                : found.hits().stream()
                        .filter(hit -> splitOfDocument.apply(hit.documentId()) == member.split())
                        .toList();
        return new SetMember(
                member.split(),
                member.source(),
                example.withContexts(
                        hits.stream().map(SearchResponse.Hit::text).toList(),
                        hits.stream().map(SearchResponse.Hit::documentId).toList()));
    }
}
