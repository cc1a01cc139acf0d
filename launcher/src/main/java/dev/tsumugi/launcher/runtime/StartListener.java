package dev.tsumugi.launcher.runtime;

import dev.tsumugi.embedded.downloads.DownloadProgress;
import java.time.Duration;

/** Hears how a start goes; called from several threads. */
public interface StartListener extends DownloadProgress {
    /** @param part such as {@code PostgreSQL} or {@code gateway} */
    void started(String part, Duration took);

    /** The process was asked to end before everything was ready, and what had started is stopped again. */
    void brokenOff();
}
