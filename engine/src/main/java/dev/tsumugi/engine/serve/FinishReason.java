package dev.tsumugi.engine.serve;

/** Why an answer ended. */
public enum FinishReason {
    /** The model ended it, or a stop string came. */
    STOP,
    /** It reached the most tokens asked for, or the end of the context. */
    LENGTH,
    /** The caller cancelled it. */
    CANCELLED,
    /** Its time was over. */
    DEADLINE
}
