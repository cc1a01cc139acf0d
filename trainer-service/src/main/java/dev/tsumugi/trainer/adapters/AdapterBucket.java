package dev.tsumugi.trainer.adapters;

import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.adapters.AdapterTooLargeException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * Adapters in a bucket of S3, or of a server that speaks its protocol, as {@code adapters/DIGEST/FILE}. Credentials and region come from where the AWS
 * SDK looks for them. The weights are written last, and only with them an adapter is there.
 */
final class AdapterBucket implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AdapterBucket.class);
    private static final Duration ATTEMPT_LIMIT = Duration.ofSeconds(30);
    private static final Duration CALL_LIMIT = Duration.ofMinutes(2);
    private static final String PREFIX = "adapters/";
    private static final String WEIGHTS = AdapterStore.FILES.getLast();

    private final String bucket;
    private final S3Client s3;

    /** @throws IllegalStateException when the server says that there is no such bucket, or not for us */
    AdapterBucket(AdapterProperties.S3 properties) {
        bucket = properties.bucket();
        S3ClientBuilder builder = S3Client.builder()
                .forcePathStyle(properties.pathStyle())
                .overrideConfiguration(
                        limits -> limits.apiCallAttemptTimeout(ATTEMPT_LIMIT).apiCallTimeout(CALL_LIMIT));
        if (!properties.endpoint().isBlank()) {
            builder.endpointOverride(URI.create(properties.endpoint()));
        }
        s3 = builder.build();
        try {
            s3.headBucket(head -> head.bucket(bucket));
        } catch (S3Exception e) {
            if (e.statusCode() < 500) {
                s3.close();
                throw new IllegalStateException(
                        "The bucket " + bucket + " for adapters cannot be used (" + e.statusCode()
                                + "). Make it, or mend tsumugi.trainer.adapters.s3 (TSUMUGI_S3_BUCKET,"
                                + " TSUMUGI_S3_ENDPOINT) and the credentials.",
                        e);
            }
            log.warn("The bucket {} for adapters does not answer yet: {}", bucket, e.getMessage());
        } catch (SdkException e) {
            // An outage must not keep the trainer from starting: what its folder has can be used without the bucket.
            log.warn("The bucket {} for adapters cannot be reached yet: {}", bucket, e.getMessage());
        }
    }

    /** Overwriting what is there renews its age. */
    void upload(String digest, Path folder) throws IOException {
        try {
            for (String file : AdapterStore.FILES) {
                s3.putObject(
                        put -> put.bucket(bucket).key(key(digest, file)), RequestBody.fromFile(folder.resolve(file)));
            }
        } catch (SdkException e) {
            throw failed("take the adapter " + digest, e);
        }
    }

    /**
     * What comes must be held against the digest.
     *
     * @return false: it is not there
     * @throws AdapterTooLargeException when both files have more bytes
     */
    boolean download(String digest, Path folder, long maxBytes) throws IOException {
        long room = maxBytes;
        try {
            for (String file : AdapterStore.FILES.reversed()) {
                try (ResponseInputStream<GetObjectResponse> in =
                                s3.getObject(get -> get.bucket(bucket).key(key(digest, file)));
                        OutputStream out = Files.newOutputStream(folder.resolve(file))) {
                    // More than was announced is not read.
                    room -= in.response().contentLength();
                    if (room < 0) {
                        in.abort();
                        throw new AdapterTooLargeException(maxBytes);
                    }
                    in.transferTo(out);
                }
            }
            return true;
        } catch (NoSuchKeyException e) {
            return false;
        } catch (SdkException e) {
            throw failed("give the adapter " + digest, e);
        }
    }

    /**
     * What the bucket has of an adapter.
     *
     * @param written the latest of its files
     * @param complete whether all of it is there
     */
    record Held(Instant written, boolean complete) {
        private Held with(Held other) {
            return new Held(written.isAfter(other.written) ? written : other.written, complete || other.complete);
        }
    }

    /** By digest. */
    Map<String, Held> list() throws IOException {
        Map<String, Held> held = new HashMap<>();
        try {
            for (S3Object object : s3.listObjectsV2Paginator(
                            list -> list.bucket(bucket).prefix(PREFIX))
                    .contents()) {
                List<String> path = List.of(object.key().split("/"));
                if (path.size() == 3 && AdapterStore.FILES.contains(path.get(2))) {
                    held.merge(
                            path.get(1),
                            new Held(object.lastModified(), path.get(2).equals(WEIGHTS)),
                            Held::with);
                }
            }
            return held;
        } catch (SdkException e) {
            throw failed("be listed", e);
        }
    }

    void delete(String digest) throws IOException {
        try {
            for (String file : AdapterStore.FILES.reversed()) {
                s3.deleteObject(delete -> delete.bucket(bucket).key(key(digest, file)));
            }
        } catch (SdkException e) {
            throw failed("delete the adapter " + digest, e);
        }
    }

    private IOException failed(String what, SdkException e) {
        return new IOException("The bucket " + bucket + " cannot " + what + ": " + e.getMessage(), e);
    }

    private static String key(String digest, String file) {
        return PREFIX + digest + "/" + file;
    }

    @Override
    public void close() {
        s3.close();
    }
}
