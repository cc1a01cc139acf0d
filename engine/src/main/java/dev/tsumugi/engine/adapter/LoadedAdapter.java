package dev.tsumugi.engine.adapter;

import java.util.Map;

/**
 * An adapter that requests can name.
 *
 * @param digest its identity, see {@link PeftAdapter}
 * @param rank the largest of its ranks
 * @param layers how many linear layers it changes
 * @param bytes memory that it takes
 * @param users requests that run with it
 * @param leaving whether it is unloaded already, and gone with its last request
 * @param metadata what its weights' file says of it, under {@code __metadata__}; the digest covers it
 */
public record LoadedAdapter(
        String digest, int rank, int layers, long bytes, int users, boolean leaving, Map<String, String> metadata) {
    public LoadedAdapter {
        metadata = Map.copyOf(metadata);
    }
}
