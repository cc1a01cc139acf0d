package dev.tsumugi.trainer.adapters;

/**
 * What a name stands for after a change.
 *
 * @param tenant empty: serves all tenants
 * @param digest of the adapter that was published; a canary's, where it was published as one
 * @param version of the name
 */
public record PublishedAdapter(String tenant, String name, String digest, long version) {}
