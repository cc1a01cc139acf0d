package dev.tsumugi.contracts;

/** Where one version of a document stands; the order is the order of the data flow. */
public enum DocumentState {
    RECEIVED,
    PARSED,
    EMBEDDED,
    INDEXED,
    FAILED,
    DELETED
}
