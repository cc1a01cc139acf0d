package dev.tsumugi.contracts;

/**
 * The key of every document event: {@code tenant/documentId}. The tenant ends at the first slash; a document id may hold more of them.
 *
 * @param tenant 1 to 64 letters, digits, {@code . _ -}
 * @param documentId 1 to 512 characters without control characters
 */
public record DocumentKey(String tenant, String documentId) {
    private static final int MAX_TENANT = 64;
    private static final int MAX_ID = 512;

    /** @throws IllegalArgumentException naming the part that breaks the rules above */
    public DocumentKey {
        if (tenant.isEmpty()
                || tenant.length() > MAX_TENANT
                || !tenant.chars().allMatch(DocumentKey::isTenantCharacter)) {
            throw new IllegalArgumentException(
                    "tenant must be 1 to 64 letters, digits, '.', '_' or '-', but is '" + shorten(tenant) + "'");
        }
        if (documentId.isBlank()
                || documentId.length() > MAX_ID
                || documentId.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "document id must be 1 to 512 characters without control characters, but is '" + shorten(documentId)
                            + "'");
        }
    }

    /** @throws IllegalArgumentException when {@code key} is not of the form {@code tenant/documentId} */
    public static DocumentKey parse(String key) {
        int slash = key.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException(
                    "record key must be 'tenant/documentId', for example 'default/handbook', but is '" + shorten(key)
                            + "'");
        }
        return new DocumentKey(key.substring(0, slash), key.substring(slash + 1));
    }

    @Override
    public String toString() {
        return tenant + "/" + documentId;
    }

    private static boolean isTenantCharacter(int c) {
        return c < 128 && (Character.isLetterOrDigit(c) || c == '.' || c == '_' || c == '-');
    }

    private static String shorten(String s) {
        return s.length() <= 80 ? s : s.substring(0, 80) + "...";
    }
}
