package dev.tsumugi.embedded;

/** A port that is wanted and that another program listens on. */
public final class PortBusyException extends EmbeddedStartException {
    private final int port;

    PortBusyException(String part, int port) {
        super("Port " + port + " for " + part + " is in use"
                + Ports.holder(port).map(holder -> " by " + holder).orElse("")
                + ". Stop that program or choose other ports (TSUMUGI_PORT; all others are counted from it).");
        this.port = port;
    }

    /** The busy port. */
    public int port() {
        return port;
    }
}
