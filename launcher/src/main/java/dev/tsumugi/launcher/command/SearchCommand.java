package dev.tsumugi.launcher.command;

import dev.tsumugi.contracts.api.SearchMode;
import dev.tsumugi.contracts.api.SearchRequest;
import dev.tsumugi.contracts.api.SearchResponse;
import dev.tsumugi.launcher.terminal.Output;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "search", description = "Show the passages that fit a query best.")
public final class SearchCommand extends Verb {
    private static final int SHOWN_CHARACTERS = 300;

    @Parameters(paramLabel = "QUERY", description = "What to look for, in words or as a question.")
    String query = "";

    @Option(
            names = {"-n", "--limit"},
            paramLabel = "N",
            description = "Most passages, 1 to 100 (default ${DEFAULT-VALUE}).")
    int limit = 5;

    @Option(names = "--mode", description = "${COMPLETION-CANDIDATES} (default ${DEFAULT-VALUE}).")
    SearchMode mode = SearchMode.values()[0];

    @Option(
            names = "--filter",
            paramLabel = "NAME=VALUE",
            description = "Only documents with this metadata; may be given again.")
    Map<String, String> filter = Map.of();

    @Override
    int run(Output output) {
        SearchResponse response =
                gateway().search(new SearchRequest(query, limit, mode, filter.isEmpty() ? null : filter));
        output.object(response);
        if (response.degraded() != null) {
            output.say("Note: " + response.degraded());
        }
        if (response.hits().isEmpty()) {
            output.say("Nothing found. Ingest documents first: ./tsumugi ingest PATH...");
        }
        int rank = 1;
        for (SearchResponse.Hit hit : response.hits()) {
            String heading = hit.heading().isBlank() ? "" : ", " + hit.heading();
            output.say(String.format(
                    Locale.ROOT,
                    "%d. %s%s  (%s, score %.4f)",
                    rank++,
                    hit.title(),
                    heading,
                    hit.documentId(),
                    hit.score()));
            output.say("   " + Passages.oneLine(hit.text(), SHOWN_CHARACTERS));
        }
        return DONE;
    }
}
