package dev.tsumugi.embedded.downloads;

/** Hears how far a download has come; called a few times a second from the thread that fetches. */
@FunctionalInterface
public interface DownloadProgress {
    /** Hears nothing. */
    DownloadProgress SILENT = (what, done, total) -> {};

    /**
     * @param what name for people, such as {@code PostgreSQL 18.4}
     * @param doneBytes bytes that have arrived; equals {@code totalBytes} once, at the end
     * @param totalBytes size of the whole download
     */
    void progress(String what, long doneBytes, long totalBytes);
}
