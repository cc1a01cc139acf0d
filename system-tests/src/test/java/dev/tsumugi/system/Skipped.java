package dev.tsumugi.system;

import org.junit.jupiter.api.Assumptions;

/** Skips a test whose tools this machine lacks, loudly: a silent skip would look like a pass. */
final class Skipped {
    private Skipped() {}

    static <T> T because(String reason) {
        System.err.println("SKIPPED: " + reason);
        return Assumptions.abort(reason);
    }
}
