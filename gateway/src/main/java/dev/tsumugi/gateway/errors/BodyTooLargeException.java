package dev.tsumugi.gateway.errors;

import java.io.IOException;
import org.springframework.util.unit.DataSize;

/** A body without a declared length turned out to be larger than the limit. */
public final class BodyTooLargeException extends IOException {
    private static final long serialVersionUID = 1;

    private final transient DataSize limit;

    public BodyTooLargeException(DataSize limit) {
        super("the body is larger than " + limit.toBytes() + " bytes");
        this.limit = limit;
    }

    public DataSize limit() {
        return limit;
    }
}
