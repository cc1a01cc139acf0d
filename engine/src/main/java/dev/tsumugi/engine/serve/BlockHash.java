package dev.tsumugi.engine.serve;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Identity of a full cache block by content: SHA-256 over the block before it, its tokens, and at the root the adapter. Equal hashes mean
 * equal keys and values, for all that stands before as well. A cryptographic hash, so that nobody can craft a prompt that hits the
 * blocks of another.
 */
record BlockHash(long a, long b, long c, long d) {

    /** What stands before the first block of a sequence that runs with this adapter; the empty string: none. */
    static BlockHash root(String adapterDigest) {
        return of(sha256().digest(adapterDigest.getBytes(StandardCharsets.UTF_8)));
    }

    /** The block of {@code tokens[from, to)} behind this one. */
    BlockHash next(int[] tokens, int from, int to) {
        ByteBuffer content = ByteBuffer.allocate(4 * Long.BYTES + (to - from) * Integer.BYTES);
        content.putLong(a).putLong(b).putLong(c).putLong(d);
        for (int i = from; i < to; i++) {
            content.putInt(tokens[i]);
        }
        return of(sha256().digest(content.array()));
    }

    private static BlockHash of(byte[] digest) {
        ByteBuffer bytes = ByteBuffer.wrap(digest);
        return new BlockHash(bytes.getLong(), bytes.getLong(), bytes.getLong(), bytes.getLong());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
