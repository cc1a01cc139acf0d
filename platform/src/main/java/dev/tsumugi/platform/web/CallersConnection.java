package dev.tsumugi.platform.web;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.coyote.ActionCode;
import org.springframework.http.HttpStatusCode;

/**
 * Whether the caller of a request is still there, for answers that are written only when they are complete. The servlet interface cannot
 * tell; Tomcat can, by a read that does not block: a closed connection is at its end. A caller who closes only his own direction counts as
 * gone, as with other proxies. Behind a proxy that keeps its connection open for a caller who left, nobody can tell.
 */
public final class CallersConnection {
    private static final String ATTRIBUTE = CallersConnection.class.getName();
    private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(1);

    private final org.apache.coyote.Request connection;

    private CallersConnection(org.apache.coyote.Request connection) {
        this.connection = connection;
    }

    /** The caller left, and so nobody reads an answer. */
    public static final class GoneException extends ProblemException {
        /** As nginx logs it; nobody receives it. */
        private static final int CLIENT_CLOSED_REQUEST = 499;

        GoneException() {
            super(HttpStatusCode.valueOf(CLIENT_CLOSED_REQUEST), "caller-gone", "The caller has gone.");
        }
    }

    /** Work that ends soon after it is interrupted, or what it reads is closed. */
    @FunctionalInterface
    public interface Work<T> {
        T run() throws IOException, InterruptedException;
    }

    /** To be added to the server's pipeline; without it {@link #of} fails. */
    public static ValveBase valve() {
        return new ValveBase(true) {
            @Override
            public void invoke(Request request, Response response) throws IOException, ServletException {
                request.setAttribute(ATTRIBUTE, new CallersConnection(request.getCoyoteRequest()));
                getNext().invoke(request, response);
            }
        };
    }

    public static CallersConnection of(HttpServletRequest request) {
        if (request.getAttribute(ATTRIBUTE) instanceof CallersConnection connection) {
            return connection;
        }
        throw new IllegalStateException("the valve of CallersConnection is missing from the server");
    }

    /**
     * Runs {@code work} on a thread of its own, to be called on the request's thread after its body was read. When the caller leaves, the work
     * is interrupted.
     *
     * @param source closed at the end, and before when the caller leaves
     * @throws GoneException when the caller left before the work was done
     * @throws IOException what the work threw
     */
    public <T> T whilePresent(Closeable source, Work<T> work) throws IOException {
        FutureTask<T> task = new FutureTask<>(work::run);
        Thread.ofVirtual().name("answer-reader").start(task);
        try {
            while (true) {
                try {
                    return task.get(BETWEEN_LOOKS.toMillis(), TimeUnit.MILLISECONDS);
                } catch (TimeoutException e) {
                    if (isGone()) {
                        throw new GoneException();
                    }
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException cause) {
                throw cause;
            }
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            source.close();
            task.cancel(true);
        }
    }

    /** As {@link #whilePresent(Closeable, Work)}, for work that needs nothing closed. */
    public <T> T whilePresent(Work<T> work) throws IOException {
        return whilePresent(() -> {}, work);
    }

    /** At the end of the connection Tomcat says that one byte can be read, so that a read shows the end; a next request would be more. */
    private boolean isGone() {
        connection.action(ActionCode.AVAILABLE, Boolean.TRUE);
        return connection.getAvailable() == 1;
    }
}
