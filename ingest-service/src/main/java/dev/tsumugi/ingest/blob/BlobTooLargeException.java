package dev.tsumugi.ingest.blob;

/** More bytes came than a blob may have; nothing was stored. */
public class BlobTooLargeException extends RuntimeException {
    private final long maxBytes;

    public BlobTooLargeException(long maxBytes) {
        super("more than " + maxBytes + " bytes");
        this.maxBytes = maxBytes;
    }

    public long maxBytes() {
        return maxBytes;
    }
}
