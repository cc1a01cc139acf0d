package dev.tsumugi.trainer.adapters;

import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.adapters.AdapterTooLargeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.util.FileSystemUtils;

/**
 * The trainer's adapters: in its folder, and, where there is one, in a bucket, from which trainers on other machines have them. An adapter is
 * published when the folder has it: what is trained in hours is not thrown away because the bucket is away for minutes.
 */
final class StoredAdapters implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(StoredAdapters.class);

    private final AdapterStore folder;
    private final @Nullable AdapterBucket bucket;
    private final long maxBytes;
    private final Clock clock;

    StoredAdapters(AdapterStore folder, @Nullable AdapterBucket bucket, long maxBytes, Clock clock) {
        this.folder = folder;
        this.bucket = bucket;
        this.maxBytes = maxBytes;
        this.clock = clock;
    }

    /** As {@link AdapterStore#put}. What the bucket does not take now, {@link #collect} brings there later, once a name needs it. */
    AdapterStore.Stored put(Path source) throws IOException {
        AdapterStore.Stored stored = folder.put(source, maxBytes);
        if (bucket != null) {
            try {
                bucket.upload(stored.digest(), stored.folder());
            } catch (IOException e) {
                log.warn(
                        "The adapter {} is only in this trainer's folder, and is lost with it: {}. It is brought to the bucket within 15 minutes"
                                + " of its answering again; if this lasts, mend the bucket, its credentials, or the line to it.",
                        stored.digest(),
                        e.getMessage());
            }
        }
        return stored;
    }

    /**
     * As {@link AdapterStore#find}; what only the bucket has is brought into the folder.
     *
     * @throws IOException when the bucket does not answer, or what it holds has another digest
     */
    Optional<Path> find(String digest) throws IOException {
        Optional<Path> here = folder.find(digest);
        if (here.isPresent() || bucket == null || !AdapterBucket.isDigest(digest)) {
            return here;
        }
        Path arrived = Files.createTempDirectory("tsumugi-adapter");
        try {
            if (!bucket.download(digest, arrived, maxBytes)) {
                return Optional.empty();
            }
            requireDigest(arrived, digest);
            return Optional.of(folder.put(arrived, maxBytes).folder());
        } catch (AdapterTooLargeException e) {
            throw new IOException("The adapter " + digest + " of the bucket is larger than it can have been", e);
        } finally {
            FileSystemUtils.deleteRecursively(arrived);
        }
    }

    private static void requireDigest(Path arrived, String digest) throws IOException {
        String actual;
        try {
            actual = PeftAdapter.digestOf(arrived);
        } catch (ModelFileException e) {
            actual = e.getMessage();
        }
        if (!digest.equals(actual)) {
            throw new IOException("The adapter " + digest + " of the bucket is damaged (" + actual
                    + "); publish it again, or delete it there");
        }
    }

    /**
     * As {@link AdapterStore#collect}. The bucket cannot set anything aside, so what was deleted there while somebody began to refer to it, or
     * was never there, is brought back from the folder.
     */
    int collect(Duration grace, Predicate<String> isReferenced) throws IOException {
        int deleted = folder.collect(grace, isReferenced);
        if (bucket == null) {
            return deleted;
        }
        Instant limit = clock.instant().minus(grace.multipliedBy(2));
        Map<String, AdapterBucket.Held> held = bucket.list();
        for (Map.Entry<String, AdapterBucket.Held> one : Map.copyOf(held).entrySet()) {
            if (one.getValue().written().isBefore(limit) && !isReferenced.test(one.getKey())) {
                bucket.delete(one.getKey());
                held.remove(one.getKey());
            }
        }
        for (String digest : folder.digests()) {
            AdapterBucket.Held there = held.get(digest);
            Path here = there != null && there.complete() || !isReferenced.test(digest)
                    ? null
                    : folder.find(digest).orElse(null);
            if (here != null) {
                log.info("The bucket gets the adapter {}, which it lacks", digest);
                bucket.upload(digest, here);
            }
        }
        return deleted;
    }

    @Override
    public void close() {
        if (bucket != null) {
            bucket.close();
        }
    }
}
