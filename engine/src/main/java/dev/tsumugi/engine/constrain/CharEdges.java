package dev.tsumugi.engine.constrain;

/** Where a regular expression is written to: nodes joined by edges that read one character. */
interface CharEdges {
    int node();

    /** Reads nothing. */
    void jump(int source, int target);

    /** Reads one character of {@code set}. */
    void chars(CharSet set, int source, int target);
}
