package dev.tsumugi.gateway.downstream;

import dev.tsumugi.gateway.GatewayProperties;
import dev.tsumugi.gateway.errors.Problems;
import java.util.concurrent.Semaphore;
import org.springframework.stereotype.Component;

/** Bounds how many answers are written at once, so that many callers cannot exhaust the generator's queue. */
@Component
public final class AnswerSlots {
    private final Semaphore free;

    AnswerSlots(GatewayProperties properties) {
        free = new Semaphore(properties.maxConcurrentAnswers());
    }

    /** A slot that is held until it is closed. */
    public interface Slot extends AutoCloseable {
        @Override
        void close();
    }

    /** @throws dev.tsumugi.platform.web.ProblemException 429 when all are taken */
    public Slot take() {
        if (!free.tryAcquire()) {
            throw Problems.busy();
        }
        return free::release;
    }
}
