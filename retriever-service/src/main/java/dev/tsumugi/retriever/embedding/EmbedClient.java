package dev.tsumugi.retriever.embedding;

import dev.tsumugi.contracts.api.EmbedRequest;
import dev.tsumugi.contracts.api.EmbedResponse;
import org.springframework.http.MediaType;
import org.springframework.web.client.RestClient;

/** Calls embed-service. */
public class EmbedClient {
    private final RestClient embedService;

    public EmbedClient(RestClient embedService) {
        this.embedService = embedService;
    }

    /**
     * @throws org.springframework.web.client.ResourceAccessException when the service does not answer
     * @throws dev.tsumugi.platform.web.ProblemException when it refuses
     */
    public EmbedResponse embed(EmbedRequest request) {
        EmbedResponse response = embedService
                .post()
                .uri("/internal/embed")
                .contentType(MediaType.APPLICATION_JSON)
                .body(request)
                .retrieve()
                .body(EmbedResponse.class);
        if (response == null || response.vectors().size() != request.texts().size()) {
            throw new IllegalStateException("embed-service did not answer with one vector a text");
        }
        return response;
    }
}
