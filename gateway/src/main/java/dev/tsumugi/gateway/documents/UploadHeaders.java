package dev.tsumugi.gateway.documents;

import dev.tsumugi.contracts.api.DocumentHeaders;
import dev.tsumugi.gateway.errors.Problems;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.web.util.UriUtils;

/**
 * What a caller says about a document beside its content, checked, and encoded as {@link DocumentHeaders} asks for.
 *
 * @param contentType absent when the caller does not know it
 */
record UploadHeaders(
        @Nullable String title,
        List<String> acl,
        Map<String, String> metadata,
        @Nullable String fileName,
        @Nullable String contentType) {
    private static final int MAX_TEXT = 500;
    private static final int MAX_ENTRIES = 64;
    /** What clients send when they do not know the type; curl takes everything for a form. */
    private static final Set<String> MEANINGLESS_TYPES =
            Set.of("application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream");

    /** From the headers of a {@code PUT}, or the fields of a form: both have the same form. */
    static UploadHeaders parse(
            @Nullable String title,
            @Nullable String acl,
            @Nullable String metadata,
            @Nullable String fileName,
            @Nullable String contentType) {
        return new UploadHeaders(
                text("title", title),
                list("acl", acl),
                pairs(metadata),
                text("fileName", fileName),
                meaningful(contentType));
    }

    void writeTo(HttpHeaders headers) {
        if (title != null) {
            headers.set(DocumentHeaders.TITLE, encode(title));
        }
        if (!acl.isEmpty()) {
            headers.set(
                    DocumentHeaders.ACL, acl.stream().map(UploadHeaders::encode).collect(Collectors.joining(",")));
        }
        if (!metadata.isEmpty()) {
            headers.set(
                    DocumentHeaders.METADATA,
                    metadata.entrySet().stream()
                            .map(entry -> encode(entry.getKey()) + "=" + encode(entry.getValue()))
                            .collect(Collectors.joining(",")));
        }
        if (fileName != null) {
            headers.set(DocumentHeaders.FILE_NAME, encode(fileName));
        }
        if (contentType != null) {
            headers.set(HttpHeaders.CONTENT_TYPE, contentType);
        }
    }

    private static @Nullable String text(String field, @Nullable String value) {
        if (value == null || value.isBlank()) {
            return null;
        }
        String decoded = decode(value).strip();
        if (decoded.length() > MAX_TEXT || decoded.chars().anyMatch(Character::isISOControl)) {
            throw Problems.field(field, "must be at most " + MAX_TEXT + " characters without control characters");
        }
        return decoded;
    }

    private static List<String> list(String field, @Nullable String value) {
        List<String> elements = new ArrayList<>();
        if (value != null) {
            for (String part : value.split(",")) {
                String element = text(field, part);
                if (element != null) {
                    elements.add(element);
                }
            }
        }
        if (elements.size() > MAX_ENTRIES) {
            throw Problems.field(field, "must have at most " + MAX_ENTRIES + " entries");
        }
        return elements;
    }

    private static Map<String, String> pairs(@Nullable String value) {
        Map<String, String> pairs = new LinkedHashMap<>();
        if (value == null || value.isBlank()) {
            return pairs;
        }
        for (String part : value.split(",")) {
            int equals = part.indexOf('=');
            String name = equals < 0 ? null : text("metadata", part.substring(0, equals));
            if (name == null) {
                throw Problems.field("metadata", "must be a comma-separated list of name=value");
            }
            String content = text("metadata", part.substring(equals + 1));
            pairs.put(name, content == null ? "" : content);
        }
        if (pairs.size() > MAX_ENTRIES) {
            throw Problems.field("metadata", "must have at most " + MAX_ENTRIES + " entries");
        }
        return pairs;
    }

    private static @Nullable String meaningful(@Nullable String contentType) {
        if (contentType == null) {
            return null;
        }
        String bare = contentType.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
        return MEANINGLESS_TYPES.contains(bare) ? null : contentType;
    }

    private static String encode(String text) {
        return UriUtils.encode(text, StandardCharsets.UTF_8);
    }

    /** Percent-decodes what is encoded, and takes what is not as it stands: a person may write {@code 50% off} by hand. */
    private static String decode(String value) {
        String utf8 = value.chars().allMatch(c -> c < 256) && value.chars().anyMatch(c -> c > 127)
                // Servlet containers read header bytes as Latin-1; people send UTF-8.
                ? new String(value.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8)
                : value;
        try {
            return UriUtils.decode(utf8, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return utf8;
        }
    }
}
