package dev.tsumugi.ingest.parse;

/** The formats that are read, each by a reader of its own. */
public enum DocumentType {
    PLAIN_TEXT("text/plain"),
    MARKDOWN("text/markdown"),
    CSV("text/csv"),
    HTML("text/html"),
    PDF("application/pdf"),
    DOCX("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    PPTX("application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    XLSX("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");

    private final String mediaType;

    DocumentType(String mediaType) {
        this.mediaType = mediaType;
    }

    public String mediaType() {
        return mediaType;
    }

    boolean isText() {
        return this == PLAIN_TEXT || this == MARKDOWN || this == CSV || this == HTML;
    }
}
