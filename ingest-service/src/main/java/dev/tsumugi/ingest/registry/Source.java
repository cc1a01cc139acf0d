package dev.tsumugi.ingest.registry;

/**
 * A record of {@code document-ingest}.
 *
 * @param time its timestamp, milliseconds: tells a redelivered record from another one in a topic that was made anew
 */
public record Source(int partition, long offset, long time) {

    /** This record came before {@code other} or is the same, so whoever has seen {@code other} has seen this one. */
    public boolean isNotAfter(Source other) {
        return partition == other.partition && offset <= other.offset && time <= other.time;
    }
}
