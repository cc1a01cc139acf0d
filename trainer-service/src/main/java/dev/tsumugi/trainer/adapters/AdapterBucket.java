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
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * Adapters in a bucket of S3, or of a server that speaks its protocol, as {@code PREFIX DIGEST/FILE}. Credentials and region come from where the AWS
 * SDK looks for them. The weights are written last; only with all its files an adapter is there. Whatever else lies below the prefix is left alone.
 */
final class AdapterBucket implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AdapterBucket.class);
    private static final Duration ATTEMPT_LIMIT = Duration.ofSeconds(30);
    private static final Duration CALL_LIMIT = Duration.ofMinutes(2);
    /** Of the slowest line to a bucket, 2 Mbit/s. */
    private static final long LEAST_BYTES_PER_SECOND = 250_000;

    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern PREFIX = Pattern.compile("([A-Za-z0-9_-][A-Za-z0-9._-]*/)*");

    private final String bucket;
    private final String prefix;
    private final S3Client s3;

    /** @throws IllegalStateException when settings or credentials are missing or wrong, or the server says that there is no such bucket, or not for us */
    AdapterBucket(AdapterProperties.S3 properties) {
        bucket = properties.bucket();
        prefix = properties.prefix();
        if (!PREFIX.matcher(prefix).matches()) {
            throw unusable(
                    "its prefix '" + prefix + "' is not letters, digits, '.', '_', '-' with a / after each part", null);
        }
        s3 = connect(properties);
        try {
            s3.headBucket(head -> head.bucket(bucket));
        } catch (S3Exception e) {
            if (e.statusCode() < 500) {
                s3.close();
                throw unusable("" + e.statusCode(), e);
            }
            log.warn("The bucket {} for adapters does not answer yet: {}", bucket, e.getMessage());
        } catch (SdkException e) {
            // An outage must not keep the trainer from starting: what its folder has can be used without the bucket.
            log.warn("The bucket {} for adapters cannot be reached yet: {}", bucket, e.getMessage());
        }
    }

    /** Looks for credentials too: the first call would, and without them it fails like one in an outage. */
    private S3Client connect(AdapterProperties.S3 properties) {
        S3ClientBuilder builder = S3Client.builder()
                .forcePathStyle(properties.pathStyle())
                .overrideConfiguration(
                        limits -> limits.apiCallAttemptTimeout(ATTEMPT_LIMIT).apiCallTimeout(CALL_LIMIT));
        try (DefaultCredentialsProvider credentials =
                DefaultCredentialsProvider.builder().build()) {
            credentials.resolveCredentials();
            if (!properties.endpoint().isBlank()) {
                builder.endpointOverride(URI.create(properties.endpoint()));
            }
            return builder.region(region(properties)).build();
        } catch (RuntimeException e) {
            // Nothing has been asked of the server yet, so the settings are to blame.
            throw unusable(String.valueOf(e.getMessage()), e);
        }
    }

    /** Servers other than AWS need none, but the signature does. */
    private static Region region(AdapterProperties.S3 properties) {
        try {
            return new DefaultAwsRegionProviderChain().getRegion();
        } catch (SdkException e) {
            if (properties.endpoint().isBlank()) {
                throw e;
            }
            return Region.US_EAST_1;
        }
    }

    private IllegalStateException unusable(String why, @Nullable Throwable cause) {
        return new IllegalStateException(
                "The bucket " + bucket + " for adapters cannot be used (" + why
                        + "). Make it, or mend tsumugi.trainer.adapters.s3 (TSUMUGI_S3_BUCKET, TSUMUGI_S3_PREFIX,"
                        + " TSUMUGI_S3_ENDPOINT), the credentials and the region (AWS_ACCESS_KEY_ID,"
                        + " AWS_SECRET_ACCESS_KEY, AWS_REGION).",
                cause);
    }

    static boolean isDigest(String text) {
        return DIGEST.matcher(text).matches();
    }

    /** Overwriting what is there renews its age. */
    void upload(String digest, Path folder) throws IOException {
        try {
            for (String file : AdapterStore.FILES) {
                Path path = folder.resolve(file);
                Duration limit = uploadLimit(Files.size(path));
                s3.putObject(
                        put -> put.bucket(bucket)
                                .key(key(digest, file))
                                .overrideConfiguration(limits ->
                                        limits.apiCallAttemptTimeout(limit).apiCallTimeout(limit.multipliedBy(2))),
                        RequestBody.fromFile(path));
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

    /** How long one attempt to upload so many bytes may take. */
    static Duration uploadLimit(long bytes) {
        return ATTEMPT_LIMIT.plusSeconds(bytes / LEAST_BYTES_PER_SECOND);
    }

    /**
     * What the bucket has of an adapter.
     *
     * @param written the latest of its files
     */
    record Held(Instant written, Set<String> files) {
        boolean complete() {
            return files.containsAll(AdapterStore.FILES);
        }

        private Held with(Held other) {
            Set<String> both = new HashSet<>(files);
            both.addAll(other.files);
            return new Held(written.isAfter(other.written) ? written : other.written, both);
        }
    }

    /** By digest; only what can be an adapter of ours. */
    Map<String, Held> list() throws IOException {
        Map<String, Held> held = new HashMap<>();
        try {
            for (S3Object object : s3.listObjectsV2Paginator(
                            list -> list.bucket(bucket).prefix(prefix))
                    .contents()) {
                String[] path = object.key().substring(prefix.length()).split("/", -1);
                if (path.length == 2 && isDigest(path[0]) && AdapterStore.FILES.contains(path[1])) {
                    held.merge(path[0], new Held(object.lastModified(), Set.of(path[1])), Held::with);
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

    private String key(String digest, String file) {
        if (!isDigest(digest)) {
            throw new IllegalArgumentException("no digest: " + digest);
        }
        return prefix + digest + "/" + file;
    }

    @Override
    public void close() {
        s3.close();
    }
}
