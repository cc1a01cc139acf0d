package dev.tsumugi.gateway.documents;

import dev.tsumugi.contracts.DocumentKey;
import dev.tsumugi.gateway.errors.Problems;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** Document ids as they stand in addresses: paths whose segments survive every proxy on the way. */
public final class DocumentIds {
    private static final List<String> UNSAFE_SEGMENTS = List.of("", ".", "..");
    private static final String ANY_TENANT = "default";

    private DocumentIds() {}

    /**
     * @param rest the rest of an address, as {@code {*id}} captures it: with a leading slash
     * @throws dev.tsumugi.platform.web.ProblemException 400 naming the rule that the id breaks
     */
    public static String fromAddress(String rest) {
        return checked(rest.startsWith("/") ? rest.substring(1) : rest);
    }

    static String checked(String id) {
        if (id.indexOf('\\') >= 0 || Arrays.stream(id.split("/", -1)).anyMatch(UNSAFE_SEGMENTS::contains)) {
            throw Problems.field("id", "must not be empty or hold backslashes or empty, '.' or '..' path segments");
        }
        try {
            return new DocumentKey(ANY_TENANT, id).documentId();
        } catch (IllegalArgumentException e) {
            throw Problems.field("id", "must be 1 to 512 characters without control characters");
        }
    }

    /** An id out of the name under which a file was uploaded; folders in it stay. */
    static String fromFileName(String fileName) {
        // macOS decomposes accents and voiced kana in names; the same document must have one id from everywhere.
        String name = Normalizer.normalize(fileName, Normalizer.Form.NFC)
                .replace('\\', '/')
                .replaceFirst("^[A-Za-z]:", "")
                .replaceAll("\\p{Cntrl}", "");
        String id = Arrays.stream(name.split("/"))
                .map(String::strip)
                .filter(segment -> !UNSAFE_SEGMENTS.contains(segment))
                .collect(Collectors.joining("/"));
        if (id.isEmpty()) {
            throw Problems.field("id", "is missing and the file has no name to derive it from; name one of both");
        }
        return checked(id);
    }
}
