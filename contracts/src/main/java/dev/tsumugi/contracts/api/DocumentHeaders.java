package dev.tsumugi.contracts.api;

/**
 * Headers of a document upload, public and between services. Values are percent-encoded UTF-8 ({@code %20} for a space; a plus sign is a
 * plus sign); lists are separated by commas, each element encoded on its own. The gateway always encodes what it passes on.
 */
public final class DocumentHeaders {
    /** Title shown in search results; derived from the content when absent. */
    public static final String TITLE = "X-Tsumugi-Title";
    /** List of principals that may read the document; absent or empty: everyone of the tenant. */
    public static final String ACL = "X-Tsumugi-Acl";
    /** List of {@code name=value}, name and value each encoded, that search can filter by. */
    public static final String METADATA = "X-Tsumugi-Metadata";
    /** Name of the uploaded file without folders; helps type detection and titles. */
    public static final String FILE_NAME = "X-Tsumugi-File-Name";

    private DocumentHeaders() {}
}
