package dev.tsumugi.trainer.jobs;

import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.sets.SetMember;
import dev.tsumugi.trainer.sets.Split;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.IntConsumer;
import org.springframework.http.MediaType;
import org.springframework.web.client.RestClient;

/**
 * Fetches passages for examples that bring none, before training begins, so that no step waits for one. Only open documents are read: what
 * a model learns it may tell to everybody who asks it. Passages of documents of another split are left out, for what is held out must not
 * be learned from.
 */
final class Contexts {
    private final RestClient retriever;
    private final int workers;
    private final Function<String, Split> splitOfDocument;

    Contexts(RestClient retriever, int workers, Function<String, Split> splitOfDocument) {
        this.retriever = retriever;
        this.workers = workers;
        this.splitOfDocument = splitOfDocument;
    }

    /**
     * @param passages most of them for one example
     * @param progress hears how many are done, from any thread; what it throws ends the work
     * @return the members in their order, each with what was found
     */
    List<SetMember> fill(String tenant, List<SetMember> members, int passages, IntConsumer progress) {
        AtomicInteger done = new AtomicInteger();
        try (ExecutorService executor = Executors.newFixedThreadPool(
                workers, Thread.ofVirtual().name("contexts-", 0).factory())) {
            List<CompletableFuture<SetMember>> filled = members.stream()
                    .map(member -> CompletableFuture.supplyAsync(
                            () -> {
                                SetMember with =
                                        member.example().contexts().isEmpty() ? fill(tenant, member, passages) : member;
                                progress.accept(done.incrementAndGet());
                                return with;
                            },
                            executor))
                    .toList();
            try {
                return filled.stream().map(CompletableFuture::join).toList();
            } catch (CompletionException e) {
                executor.shutdownNow();
                throw e.getCause() instanceof RuntimeException cause ? cause : e;
            }
        }
    }

    private SetMember fill(String tenant, SetMember member, int passages) {
        Example example = member.example();
        SearchResponse found = retriever
                .post()
                .uri("/internal/search")
                .headers(headers -> new Caller(tenant, List.of(), false).writeTo(headers))
                .contentType(MediaType.APPLICATION_JSON)
                .body(new SearchRequest(example.question(), passages, null, null))
                .retrieve()
                .body(SearchResponse.class);
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
