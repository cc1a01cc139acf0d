package dev.tsumugi.engine.serve;

/** The engine has as many unfinished requests as it takes, of all or of this tenant; the caller should try again later (HTTP 429). */
public final class QueueFullException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private QueueFullException(String message) {
        super(message);
    }

    static QueueFullException ofEngine(int limit) {
        return new QueueFullException("the engine has " + limit + " unfinished requests already; try again later");
    }

    static QueueFullException ofTenant(int limit) {
        return new QueueFullException("the tenant has " + limit
                + " unfinished requests already, as many as one may have; try again when some are finished");
    }
}
