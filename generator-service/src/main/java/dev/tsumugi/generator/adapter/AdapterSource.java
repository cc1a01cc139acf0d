package dev.tsumugi.generator.adapter;

import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.util.FileSystemUtils;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;

/** Where adapters come from: the store itself where it is on this machine, else the trainer, which has it. */
final class AdapterSource {
    private static final long MOST_BYTES = 1L << 32;

    private final @Nullable AdapterStore store;
    private final RestClient trainer;

    /** @param store null: it is elsewhere */
    AdapterSource(@Nullable AdapterStore store, RestClient trainer) {
        this.store = store;
        this.trainer = trainer;
    }

    /** A PEFT folder to read from until it is closed. */
    record Opened(Path folder, boolean temporary) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            if (temporary) {
                FileSystemUtils.deleteRecursively(folder);
            }
        }
    }

    /**
     * The adapter of a digest, which its reader must verify.
     *
     * @throws IOException when it is not there now
     */
    Opened open(String digest) throws IOException {
        if (store != null) {
            Path folder = store.find(digest).orElse(null);
            if (folder != null) {
                return new Opened(folder, false);
            }
        }
        Path folder = Files.createTempDirectory("tsumugi-adapter");
        boolean complete = false;
        try {
            for (String file : AdapterStore.FILES) {
                fetch(digest, file, folder.resolve(file));
            }
            complete = true;
            return new Opened(folder, true);
        } finally {
            if (!complete) {
                FileSystemUtils.deleteRecursively(folder);
            }
        }
    }

    private void fetch(String digest, String file, Path target) throws IOException {
        try {
            trainer.get()
                    .uri("/internal/adapter-store/{digest}/{file}", digest, file)
                    .exchange((request, response) -> {
                        if (!response.getStatusCode().is2xxSuccessful()) {
                            throw new IOException(
                                    response.getStatusCode().isSameCodeAs(HttpStatus.NOT_FOUND)
                                            ? "The adapter " + digest + " is not in the store"
                                            : "the trainer answers " + response.getStatusCode());
                        }
                        copy(response.getBody(), target);
                        return target;
                    });
        } catch (ResourceAccessException e) {
            throw e.getCause() instanceof IOException cause && cause.getMessage() != null
                    ? new IOException("The adapter " + digest + " cannot be fetched: " + cause.getMessage(), e)
                    : new IOException("The trainer, which has the adapter " + digest + ", does not answer", e);
        } catch (ProblemException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static void copy(InputStream in, Path target) throws IOException {
        byte[] buffer = new byte[64 * 1024];
        long size = 0;
        try (OutputStream out = Files.newOutputStream(target)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                size += n;
                if (size > MOST_BYTES) {
                    throw new IOException("it is larger than any adapter should be");
                }
                out.write(buffer, 0, n);
            }
        }
    }
}
