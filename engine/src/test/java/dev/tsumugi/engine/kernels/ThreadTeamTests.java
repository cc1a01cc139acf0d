package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class ThreadTeamTests {

    @Test
    void everyTaskOfEveryJobRunsOnce() {
        try (ThreadTeam team = new ThreadTeam(3)) {
            for (int job = 0; job < 2000; job++) {
                AtomicIntegerArray runs = new AtomicIntegerArray(job % 9);
                team.run(runs.length(), (task, member) -> runs.incrementAndGet(task));
                for (int i = 0; i < runs.length(); i++) {
                    assertThat(runs.get(i)).isEqualTo(1);
                }
                if (job % 500 == 0) {
                    // Long enough that the team parks and must be woken.
                    LockSupport.parkNanos(1_000_000);
                }
            }
        }
    }

    @Test
    void aFailingTaskFailsTheJobAndTheTeamGoesOn() {
        try (ThreadTeam team = new ThreadTeam(2)) {
            assertThatThrownBy(() -> team.run(8, (task, member) -> {
                        if (task == 5) {
                            throw new IllegalStateException("task 5");
                        }
                    }))
                    .hasMessage("task 5");
            AtomicIntegerArray runs = new AtomicIntegerArray(4);
            team.run(4, (task, member) -> runs.incrementAndGet(task));
            assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1]");
        }
    }
}
