package dev.tsumugi.embedded.downloads;

import org.jspecify.annotations.Nullable;

/** A download that could not be had; the message says why and what to do. */
public final class DownloadException extends RuntimeException {
    DownloadException(String message) {
        super(message);
    }

    DownloadException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
