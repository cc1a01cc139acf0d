package dev.tsumugi.retriever.search;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.retriever.index.DocumentIndexer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** What other services ask of the index. */
@RestController
class SearchController {
    private static final int DEFAULT_LIMIT = 10;
    private static final int MAX_LIMIT = 100;
    private static final int MAX_QUERY_CHARACTERS = 8192;
    private static final int MAX_FILTERS = 16;
    private static final int MAX_HASHES = 10_000;

    private final HybridSearch search;
    private final DocumentIndexer indexer;

    record KnownChunksRequest(
            @Nullable String documentId,
            @Nullable List<@Nullable String> hashes,
            @Nullable String indexGeneration) {}

    record KnownChunksResponse(Set<String> known) {}

    SearchController(HybridSearch search, DocumentIndexer indexer) {
        this.search = search;
        this.indexer = indexer;
    }

    @PostMapping("/internal/search")
    SearchResponse search(Caller caller, @RequestBody SearchRequest request) {
        @Nullable String query = request.query();
        if (query == null || query.isBlank()) {
            throw ProblemException.badRequest("query-empty", "Give a query that is not empty.");
        }
        if (query.length() > MAX_QUERY_CHARACTERS) {
            throw ProblemException.badRequest(
                    "query-too-long",
                    "The query has " + query.length() + " characters; at most " + MAX_QUERY_CHARACTERS
                            + " are taken. Ask a shorter question.");
        }
        int limit = request.limit() == null ? DEFAULT_LIMIT : request.limit();
        if (limit < 1 || limit > MAX_LIMIT) {
            throw ProblemException.badRequest(
                    "limit-out-of-range", "limit must be from 1 to " + MAX_LIMIT + ", but is " + limit + ".");
        }
        Map<String, String> filter = request.filter() == null ? Map.of() : request.filter();
        if (filter.size() > MAX_FILTERS || filter.values().stream().anyMatch(Objects::isNull)) {
            throw ProblemException.badRequest(
                    "filter-invalid", "filter takes up to " + MAX_FILTERS + " metadata names, each with a string.");
        }
        if (filter.entrySet().stream().anyMatch(entry -> (entry.getKey() + entry.getValue()).indexOf('\0') >= 0)) {
            throw ProblemException.badRequest("filter-invalid", "filter must not hold the character NUL.");
        }
        SearchMode mode = request.mode() == null ? SearchMode.HYBRID : request.mode();
        return search.search(caller, storable(query), limit, mode, filter);
    }

    @PostMapping("/internal/known-chunks")
    KnownChunksResponse knownChunks(Caller caller, @RequestBody KnownChunksRequest request) {
        String documentId = request.documentId();
        List<@Nullable String> hashes = request.hashes();
        String generation = request.indexGeneration();
        if (documentId == null
                || hashes == null
                || generation == null
                || hashes.stream().anyMatch(Objects::isNull)) {
            throw ProblemException.badRequest(
                    "known-chunks-request", "Give documentId, hashes (a list of strings) and indexGeneration.");
        }
        if (hashes.size() > MAX_HASHES) {
            throw ProblemException.badRequest(
                    "too-many-hashes", "At most " + MAX_HASHES + " hashes can be asked for at once.");
        }
        List<String> wanted = hashes.stream().map(String::valueOf).toList();
        return new KnownChunksResponse(indexer.knownHashes(caller.tenant(), documentId, generation, wanted));
    }

    @GetMapping("/internal/chunks/{*chunkId}")
    SearchResponse.Hit chunk(Caller caller, @PathVariable String chunkId) {
        ChunkId id = ChunkId.parse(chunkId.substring(1));
        return (id == null ? Optional.<SearchResponse.Hit>empty() : search.chunk(caller, id))
                .orElseThrow(() -> ProblemException.notFound(
                        "chunk-not-found",
                        "There is no such chunk; its document may have a newer version, be deleted, or not be yours to read. "
                                + "Chunk ids look like document@version#index."));
    }

    /** PostgreSQL takes no NUL in text. */
    private static String storable(String query) {
        return query.replace('\0', ' ');
    }
}
