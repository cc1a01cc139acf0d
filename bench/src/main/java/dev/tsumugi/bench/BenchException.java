package dev.tsumugi.bench;

/** A benchmark that cannot run, or whose answer is wrong; the message says why and what to do. */
final class BenchException extends RuntimeException {
    BenchException(String message) {
        super(message);
    }

    BenchException(String message, Throwable cause) {
        super(message, cause);
    }

    /** @throws BenchException with {@code message} unless {@code condition} holds */
    static void require(boolean condition, String message) {
        if (!condition) {
            throw new BenchException(message);
        }
    }
}
