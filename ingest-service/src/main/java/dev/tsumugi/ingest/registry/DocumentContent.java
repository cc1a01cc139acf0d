package dev.tsumugi.ingest.registry;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the owner of a document gave: all that is needed to process it again.
 *
 * @param blob SHA-256 of the content in the blob store
 * @param declaredType content type as declared
 * @param title as given
 */
public record DocumentContent(
        String blob,
        @Nullable String declaredType,
        @Nullable String fileName,
        @Nullable String title,
        Map<String, String> metadata,
        List<String> acl) {
    public DocumentContent {
        metadata = java.util.Collections.unmodifiableMap(new java.util.TreeMap<>(metadata));
        acl = List.copyOf(acl);
    }

    /** SHA-256 (hex) over everything above: two documents with the same hash are the same. */
    public String hash() {
        java.util.StringJoiner parts = new java.util.StringJoiner("\u0000");
        parts.add(blob).add(orEmpty(declaredType)).add(orEmpty(fileName)).add(orEmpty(title));
        parts.add(Integer.toString(metadata.size()));
        metadata.forEach((name, value) -> parts.add(name).add(value));
        acl.stream().sorted().forEach(parts::add);
        try {
            byte[] digest = java.security.MessageDigest.getInstance("SHA-256")
                    .digest(parts.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8));
            return java.util.HexFormat.of().formatHex(digest);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }

    private static String orEmpty(@Nullable String value) {
        return value == null ? "" : value;
    }
}
