package dev.tsumugi.gateway.downstream;

import dev.tsumugi.gateway.GatewayProperties;
import dev.tsumugi.platform.web.InternalClients;
import java.net.URI;
import java.time.Duration;
import org.springframework.stereotype.Component;

/** The services behind the gateway. */
@Component
public final class Services {
    /** Of a call that a person waits for. */
    private static final Duration QUICK = Duration.ofSeconds(30);
    /** Of an upload, or of an answer with its whole stream. */
    private static final Duration LONG = Duration.ofMinutes(30);

    private final ServiceClient ingest;
    private final ServiceClient embed;
    private final ServiceClient retriever;
    private final ServiceClient generator;
    private final ServiceClient trainer;

    Services(GatewayProperties properties, InternalClients clients) {
        this.ingest = service("ingest", clients, properties.ingestUrl(), LONG);
        this.embed = service("embed", clients, properties.embedUrl(), Duration.ofMinutes(2));
        this.retriever = service("retriever", clients, properties.retrieverUrl(), QUICK);
        this.generator = service("generator", clients, properties.generatorUrl(), LONG);
        this.trainer = service("trainer", clients, properties.trainerUrl(), LONG);
    }

    private static ServiceClient service(String name, InternalClients clients, URI url, Duration timeout) {
        return new ServiceClient(name, clients.client(url.toString(), timeout));
    }

    public ServiceClient ingest() {
        return ingest;
    }

    public ServiceClient embed() {
        return embed;
    }

    public ServiceClient retriever() {
        return retriever;
    }

    public ServiceClient generator() {
        return generator;
    }

    public ServiceClient trainer() {
        return trainer;
    }
}
