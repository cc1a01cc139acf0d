package dev.tsumugi.launcher.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.launcher.runtime.RunningParts.Stage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class RunningPartsTests {
    private final List<String> stopped = Collections.synchronizedList(new ArrayList<>());

    @Test
    void stages_stop_in_their_order_whatever_the_order_of_the_start() {
        RunningParts parts = new RunningParts();
        parts.add(Stage.SERVERS, () -> stopped.add("server"));
        parts.add(Stage.SERVICES, () -> stopped.add("service"));
        parts.add(Stage.GATEWAY, () -> stopped.add("gateway"));
        parts.close();
        parts.close();
        assertThat(stopped).containsExactly("gateway", "service", "server");
        assertThat(parts.add(Stage.SERVICES, () -> {})).isFalse();
    }

    @Test
    void the_parts_of_a_stage_stop_at_once_and_a_failure_stops_none_of_them() {
        // Each can only go on when the other is at its end too.
        CyclicBarrier together = new CyclicBarrier(2);
        RunningParts.close(
                List.of(
                        () -> {
                            throw new IllegalStateException("broken");
                        },
                        () -> {
                            together.await(10, TimeUnit.SECONDS);
                            stopped.add("one");
                        },
                        () -> {
                            together.await(10, TimeUnit.SECONDS);
                            stopped.add("two");
                        }),
                Duration.ofSeconds(10));
        assertThat(stopped).containsExactlyInAnyOrder("one", "two");
    }

    @Test
    void a_part_that_hangs_is_left_behind_after_the_limit() {
        CountDownLatch never = new CountDownLatch(1);
        RunningParts.close(List.of(never::await, () -> stopped.add("other")), Duration.ofMillis(300));
        assertThat(stopped).containsExactly("other");
        never.countDown();
    }

    @Test
    void an_interrupt_does_not_stop_a_stage_under_the_one_before() {
        RunningParts parts = new RunningParts();
        Thread caller = Thread.currentThread();
        parts.add(Stage.SERVERS, () -> stopped.add("server"));
        parts.add(Stage.SERVICES, () -> {
            caller.interrupt();
            // Until it has been noticed.
            while (caller.isInterrupted()) {
                Thread.onSpinWait();
            }
            stopped.add("service");
        });
        parts.add(Stage.GATEWAY, () -> stopped.add("gateway"));
        parts.close();
        assertThat(Thread.interrupted()).isTrue();
        assertThat(stopped).containsExactly("gateway", "service", "server");
    }

    @Test
    void all_stages_together_take_less_than_a_minute() {
        assertThat(Arrays.stream(Stage.values())
                        .mapToLong(stage -> stage.limit().toSeconds())
                        .sum())
                .isLessThan(60);
    }
}
