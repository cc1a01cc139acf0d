package dev.tsumugi.launcher.client;

import dev.tsumugi.contracts.DocumentState;
import dev.tsumugi.contracts.api.DocumentView;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.SortedMap;
import java.util.concurrent.locks.LockSupport;

/** Uploads files and follows them until each can be searched or has failed. */
public final class Ingestion {
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(250);

    private final GatewayClient gateway;

    public Ingestion(GatewayClient gateway) {
        this.gateway = gateway;
    }

    /** Hears how it goes. */
    public interface Listener {
        /** A document has reached its end: indexed, failed, or refused ({@link DocumentState#FAILED} with the reason). */
        void finished(DocumentView document);

        void progress(int uploaded, int finished, int total);
    }

    /** @param files by document id */
    public void run(SortedMap<String, Path> files, Listener listener) {
        Deque<DocumentView> open = new ArrayDeque<>();
        int uploaded = 0;
        int finished = 0;
        for (Map.Entry<String, Path> file : files.entrySet()) {
            DocumentView view = upload(file.getKey(), file.getValue());
            uploaded++;
            if (isAtEnd(view)) {
                listener.finished(view);
                finished++;
            } else {
                open.add(view);
            }
            listener.progress(uploaded, finished, files.size());
        }
        while (!open.isEmpty()) {
            for (int i = open.size(); i > 0; i--) {
                DocumentView expected = open.remove();
                DocumentView now = gateway.document(expected.id());
                if (now.version() >= expected.version() && isAtEnd(now)) {
                    listener.finished(now);
                    finished++;
                    listener.progress(uploaded, finished, files.size());
                } else {
                    open.add(expected);
                }
            }
            if (!open.isEmpty()) {
                LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
            }
        }
    }

    /** A file that is refused is reported like one that failed, so that the others go on; without a gateway nothing can go on. */
    private DocumentView upload(String id, Path file) {
        try {
            return gateway.upload(id, file);
        } catch (GatewayException e) {
            if (e.status() == 0 || e.status() == 401) {
                throw e;
            }
            return new DocumentView(id, 0, DocumentState.FAILED, 0, e.getMessage(), null, null, null);
        }
    }

    private static boolean isAtEnd(DocumentView view) {
        return switch (view.state()) {
            case INDEXED, FAILED, DELETED -> true;
            case RECEIVED, PARSED, EMBEDDED -> false;
        };
    }
}
