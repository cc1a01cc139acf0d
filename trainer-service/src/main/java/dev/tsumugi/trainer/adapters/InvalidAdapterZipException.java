package dev.tsumugi.trainer.adapters;

/** A zip file that is no PEFT folder; the message names the entry and what to do. */
final class InvalidAdapterZipException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    InvalidAdapterZipException(String message) {
        super(message);
    }
}
