package dev.tsumugi.engine.serve;

/** The engine has as many unfinished requests as it takes; the caller should try again later (HTTP 429). */
public final class QueueFullException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public QueueFullException(int limit) {
        super("the engine has " + limit + " unfinished requests already; try again later");
    }
}
