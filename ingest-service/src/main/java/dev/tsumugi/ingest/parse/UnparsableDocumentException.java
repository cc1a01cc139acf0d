package dev.tsumugi.ingest.parse;

import org.jspecify.annotations.Nullable;

/** No text can be taken from a document; the message says why and what to do. */
public class UnparsableDocumentException extends RuntimeException {
    public UnparsableDocumentException(String message) {
        super(message);
    }

    public UnparsableDocumentException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
