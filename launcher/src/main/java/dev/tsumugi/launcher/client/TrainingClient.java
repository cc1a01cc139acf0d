package dev.tsumugi.launcher.client;

import java.nio.file.Path;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Calls that have to do with training. They throw {@link GatewayException} as those of {@link GatewayClient}. */
public final class TrainingClient {
    private final GatewayClient gateway;

    public TrainingClient(GatewayClient gateway) {
        this.gateway = gateway;
    }

    /** @return {@code {"received", "changed", "total"}} */
    public JsonNode addExamples(Path file) {
        return gateway.postFile("/api/v1/training/examples", file);
    }

    public JsonNode start(Map<String, Object> job) {
        return gateway.postJson("/api/v1/training/jobs", job);
    }

    public JsonNode schedule(Map<String, Object> schedule) {
        return gateway.postJson("/api/v1/training/schedules", schedule);
    }

    /** With its losses and, when there is one, the report of its gate. */
    public JsonNode job(String id) {
        return gateway.getJson("/api/v1/training/jobs/" + id);
    }

    public void cancel(String id) {
        gateway.delete("/api/v1/training/jobs/" + id);
    }
}
