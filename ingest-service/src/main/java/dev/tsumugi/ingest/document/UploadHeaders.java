package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.api.DocumentHeaders;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads {@link DocumentHeaders} of a request. */
final class UploadHeaders {
    /** What clients send when they do not know: it says nothing. */
    private static final Set<String> NO_TYPE =
            Set.of("application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream", "*/*");

    private UploadHeaders() {}

    static Uploads.Description read(HttpServletRequest request) {
        Map<String, String> metadata = new LinkedHashMap<>();
        for (String entry : list(request, DocumentHeaders.METADATA)) {
            int equals = entry.indexOf('=');
            if (equals < 0) {
                throw ProblemException.badRequest(
                        "document-header",
                        DocumentHeaders.METADATA + " must be a list of name=value, but holds '" + entry + "'.");
            }
            metadata.put(
                    decode(DocumentHeaders.METADATA, entry.substring(0, equals)),
                    decode(DocumentHeaders.METADATA, entry.substring(equals + 1)));
        }
        return new Uploads.Description(
                contentType(request),
                single(request, DocumentHeaders.FILE_NAME),
                single(request, DocumentHeaders.TITLE),
                metadata,
                list(request, DocumentHeaders.ACL).stream()
                        .map(element -> decode(DocumentHeaders.ACL, element))
                        .toList());
    }

    private static @Nullable String contentType(HttpServletRequest request) {
        String type = request.getContentType();
        return type == null || NO_TYPE.contains(type.split(";", 2)[0].strip().toLowerCase(java.util.Locale.ROOT))
                ? null
                : type;
    }

    private static @Nullable String single(HttpServletRequest request, String header) {
        String value = request.getHeader(header);
        return value == null ? null : decode(header, value);
    }

    private static List<String> list(HttpServletRequest request, String header) {
        String value = request.getHeader(header);
        List<String> elements = new ArrayList<>();
        if (value != null) {
            for (String element : value.split(",")) {
                if (!element.isBlank()) {
                    elements.add(element.strip());
                }
            }
        }
        return elements;
    }

    private static String decode(String header, String value) {
        try {
            // URLDecoder reads a plus sign as a space; in these headers it is a plus sign.
            return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest(
                    "document-header", header + " must be percent-encoded UTF-8, but is '" + value + "'.");
        }
    }
}
