package dev.tsumugi.ingest.document;

import dev.tsumugi.ingest.registry.DocumentContent;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Bounds on what comes with a document; an {@link IllegalArgumentException} names the one that is broken. */
final class ContentRules {
    private static final int MAX_TITLE = 1000;
    private static final int MAX_NAME = 255;
    private static final int MAX_TYPE = 255;
    private static final int MAX_METADATA = 64;
    private static final int MAX_METADATA_NAME = 128;
    private static final int MAX_METADATA_VALUE = 2000;
    private static final int MAX_PRINCIPALS = 256;
    private static final int MAX_PRINCIPAL = 256;

    private ContentRules() {}

    static DocumentContent content(
            String blob,
            @Nullable String declaredType,
            @Nullable String fileName,
            @Nullable String title,
            @Nullable Map<String, String> metadata,
            @Nullable List<String> acl) {
        Map<String, String> givenMetadata = metadata == null ? Map.of() : metadata;
        List<String> givenAcl = acl == null ? List.of() : acl;
        if (givenMetadata.size() > MAX_METADATA) {
            throw new IllegalArgumentException("metadata may have at most " + MAX_METADATA + " names");
        }
        givenMetadata.forEach((name, value) -> {
            bounded("a metadata name", name, MAX_METADATA_NAME);
            bounded("the metadata value of " + name, value, MAX_METADATA_VALUE);
            if (name.isBlank()) {
                throw new IllegalArgumentException("a metadata name is empty");
            }
        });
        checkAcl(givenAcl);
        return new DocumentContent(
                blob,
                optional("the content type", declaredType, MAX_TYPE),
                optional("the file name", fileName, MAX_NAME),
                optional("the title", title, MAX_TITLE),
                givenMetadata,
                givenAcl.stream().distinct().toList());
    }

    static void checkAcl(List<String> acl) {
        if (acl.size() > MAX_PRINCIPALS) {
            throw new IllegalArgumentException("the ACL may name at most " + MAX_PRINCIPALS + " principals");
        }
        acl.forEach(principal -> {
            bounded("a principal of the ACL", principal, MAX_PRINCIPAL);
            if (principal.isBlank()) {
                throw new IllegalArgumentException("a principal of the ACL is empty");
            }
        });
    }

    private static @Nullable String optional(String what, @Nullable String value, int limit) {
        if (value == null || value.isBlank()) {
            return null;
        }
        bounded(what, value, limit);
        return value.strip();
    }

    private static void bounded(String what, @Nullable String value, int limit) {
        if (value == null) {
            throw new IllegalArgumentException(what + " is null");
        }
        if (value.length() > limit) {
            throw new IllegalArgumentException(what + " has more than " + limit + " characters");
        }
        if (value.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(what + " holds a control character");
        }
        for (int i = 0; i < value.length(); i++) {
            int c = value.codePointAt(i);
            if (c >= 0xD800 && c <= 0xDFFF) {
                throw new IllegalArgumentException(what + " holds half of a character (an unpaired surrogate)");
            }
            i += Character.charCount(c) - 1;
        }
    }
}
