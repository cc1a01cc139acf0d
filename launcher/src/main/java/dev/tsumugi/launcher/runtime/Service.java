package dev.tsumugi.launcher.runtime;

import dev.tsumugi.embed.EmbedApplication;
import dev.tsumugi.gateway.GatewayApplication;
import dev.tsumugi.generator.GeneratorApplication;
import dev.tsumugi.ingest.IngestApplication;
import dev.tsumugi.retriever.RetrieverApplication;
import dev.tsumugi.trainer.TrainerApplication;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.springframework.context.ConfigurableApplicationContext;

/** The services, in the order in which documents and questions pass them; the gateway opens last. */
public enum Service {
    GENERATOR(4, GeneratorApplication::startWithModel),
    RETRIEVER(3, RetrieverApplication::start),
    INGEST(1, IngestApplication::start),
    EMBED(2, EmbedApplication::start),
    TRAINER(5, TrainerApplication::start),
    GATEWAY(0, GatewayApplication::start);

    private final int portOffset;
    private final Function<Map<String, Object>, ConfigurableApplicationContext> starter;

    Service(int portOffset, Function<Map<String, Object>, ConfigurableApplicationContext> starter) {
        this.portOffset = portOffset;
        this.starter = starter;
    }

    int portOffset() {
        return portOffset;
    }

    /** Name for people and for environment variables. */
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The door: opened when everything behind it is ready. */
    boolean isGateway() {
        return portOffset == 0;
    }

    ConfigurableApplicationContext start(Map<String, Object> properties) {
        return starter.apply(properties);
    }
}
