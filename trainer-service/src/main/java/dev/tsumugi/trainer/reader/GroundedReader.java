package dev.tsumugi.trainer.reader;

import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.trainer.adapters.AdapterPublisher;
import dev.tsumugi.trainer.base.BaseModel;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.ApplicationArguments;
import org.springframework.boot.ApplicationRunner;
import org.springframework.stereotype.Component;
import org.springframework.util.FileSystemUtils;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Publishes {@value #NAME} for all tenants, and promotes it, before the trainer is ready for the first time, if the model that it was trained on
 * is served. What people do with it afterwards, they have done: it is never published again.
 */
@Component
class GroundedReader implements ApplicationRunner {
    static final String NAME = "grounded-reader";

    private static final Logger log = LoggerFactory.getLogger(GroundedReader.class);
    private static final String ALL_TENANTS = "";
    private static final String CARD = "card.json";

    private final BaseModel base;
    private final AdapterPublisher publisher;
    private final JsonMapper json;

    GroundedReader(BaseModel base, AdapterPublisher publisher, JsonMapper json) {
        this.base = base;
        this.publisher = publisher;
        this.json = json;
    }

    @Override
    public void run(ApplicationArguments arguments) {
        try {
            if (!publisher.wasChanged(ALL_TENANTS, NAME)) {
                publish();
            }
        } catch (IOException | RuntimeException e) {
            // The bare model answers, and the next start tries again.
            log.warn("The adapter {} could not be published: {}", NAME, e.toString());
        }
    }

    private void publish() throws IOException {
        JsonNode card = json.readTree(resource(CARD));
        String digest = card.path("base").path("sha256").asString();
        // Reading a model of gigabytes for nothing would cost seconds at every start.
        if (!base.isFileOf(card.path("base").path("bytes").asLong())
                || !base.locate().digest().equals(digest)) {
            log.info(
                    "The adapter {} is for {} and is not used with the model that is served",
                    NAME,
                    card.path("base").path("name").asString());
            return;
        }
        Path folder = Files.createTempDirectory("tsumugi-" + NAME);
        try {
            for (String file : AdapterStore.FILES) {
                Files.write(folder.resolve(file), resource(file));
            }
            publisher.publish(
                    ALL_TENANTS, NAME, folder, digest, card.path("metrics").toString(), null);
            publisher.promote(ALL_TENANTS, NAME);
            log.info("The adapter {} answers where no other is asked for", NAME);
        } finally {
            FileSystemUtils.deleteRecursively(folder);
        }
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = GroundedReader.class.getResourceAsStream(NAME + "/" + name)) {
            if (in == null) {
                throw new FileNotFoundException(NAME + "/" + name + " is missing from the class path");
            }
            return in.readAllBytes();
        }
    }
}
