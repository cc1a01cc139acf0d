package dev.tsumugi.gateway.ask;

import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.gateway.GatewayProperties;
import dev.tsumugi.gateway.documents.DocumentIds;
import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.gateway.errors.Checks;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Finds passages, and shows the one behind a citation. */
@RestController
class SearchController {
    private static final int MAX_LIMIT = 100;
    private static final int DEFAULT_LIMIT = 10;
    private static final int MAX_FILTERS = 16;
    private static final int MAX_FILTER_LENGTH = 500;

    private final ServiceClient retriever;
    private final int maxQueryLength;

    SearchController(Services services, GatewayProperties properties) {
        this.retriever = services.retriever();
        this.maxQueryLength = properties.maxQuestionLength();
    }

    @PostMapping("/api/v1/search")
    SearchResponse search(@RequestBody SearchRequest search, Caller caller) {
        SearchRequest checked = new SearchRequest(
                Checks.text("query", search.query(), maxQueryLength),
                Checks.range("limit", search.limit(), 1, MAX_LIMIT, DEFAULT_LIMIT),
                search.mode(),
                checkedFilter(search.filter()));
        return retriever.post("/internal/search", caller, checked, SearchResponse.class);
    }

    @GetMapping("/api/v1/chunks/{*chunkId}")
    SearchResponse.Hit chunk(@PathVariable String chunkId, Caller caller) {
        return retriever.get(
                ServiceClient.path("/internal/chunks", DocumentIds.fromAddress(chunkId)),
                caller,
                SearchResponse.Hit.class);
    }

    private static @Nullable Map<String, String> checkedFilter(@Nullable Map<String, String> filter) {
        if (filter == null || filter.isEmpty()) {
            return null;
        }
        if (filter.size() > MAX_FILTERS) {
            throw Problems.field("filter", "must have at most " + MAX_FILTERS + " entries");
        }
        filter.forEach((name, value) -> {
            Checks.text("filter", name, MAX_FILTER_LENGTH);
            Checks.text("filter." + name, value, MAX_FILTER_LENGTH);
        });
        return filter;
    }
}
