package dev.tsumugi.engine.serve;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs what is put into it in order, one at a time, on threads of {@code executor}; what fails is logged and the rest goes on. */
final class Mailbox {
    private static final Logger log = LoggerFactory.getLogger(Mailbox.class);

    private final Executor executor;
    private final Queue<Runnable> letters = new ArrayDeque<>();
    private boolean draining;

    Mailbox(Executor executor) {
        this.executor = executor;
    }

    void put(Runnable letter) {
        synchronized (letters) {
            letters.add(letter);
            if (draining) {
                return;
            }
            draining = true;
        }
        executor.execute(this::drain);
    }

    private void drain() {
        for (Runnable letter = poll(); letter != null; letter = poll()) {
            try {
                letter.run();
            } catch (RuntimeException | Error e) {
                log.warn("a listener failed; its generation goes on", e);
            }
        }
    }

    private @Nullable Runnable poll() {
        synchronized (letters) {
            Runnable letter = letters.poll();
            draining = letter != null;
            return letter;
        }
    }
}
