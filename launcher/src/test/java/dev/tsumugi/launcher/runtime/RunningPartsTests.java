package dev.tsumugi.launcher.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.launcher.runtime.RunningParts.Stage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class RunningPartsTests {
    private final List<String> stopped = Collections.synchronizedList(new ArrayList<>());

    private AutoCloseable part(String name) {
        return () -> stopped.add(name);
    }

    @Test
    void stages_stop_in_their_order_whatever_the_order_of_the_start() {
        RunningParts parts = new RunningParts();
        parts.start(Stage.SERVERS, () -> part("server"));
        parts.start(Stage.SERVICES, () -> part("service"));
        parts.start(Stage.GATEWAY, () -> part("gateway"));
        parts.close();
        parts.close();
        assertThat(stopped).containsExactly("gateway", "service", "server");
        assertThatThrownBy(() -> parts.start(Stage.SERVICES, () -> part("late")))
                .isInstanceOf(LaunchException.class);
        assertThat(stopped).doesNotContain("late");
    }

    @Test
    void the_start_of_a_server_is_interrupted_and_awaited() throws Exception {
        RunningParts parts = new RunningParts();
        CountDownLatch begun = new CountDownLatch(1);
        Thread starter = Thread.ofPlatform()
                .start(() -> assertThatThrownBy(() -> parts.start(Stage.SERVERS, () -> {
                            begun.countDown();
                            LockSupport.park(); // until the interrupt
                            stopped.add("half a server");
                            throw new IllegalStateException("interrupted");
                        }))
                        .hasMessage("interrupted"));
        begun.await();

        parts.close();

        assertThat(stopped).containsExactly("half a server");
        starter.join();
    }

    @Test
    void what_has_started_in_spite_of_the_interrupt_is_stopped_without_haste() throws Exception {
        RunningParts parts = new RunningParts();
        CountDownLatch begun = new CountDownLatch(1);
        Thread starter = Thread.ofPlatform()
                .start(() -> assertThatThrownBy(() -> parts.start(Stage.SERVERS, () -> {
                            begun.countDown();
                            while (!Thread.currentThread().isInterrupted()) {
                                Thread.onSpinWait();
                            }
                            return () -> stopped.add(
                                    "interrupted: " + Thread.currentThread().isInterrupted());
                        }))
                        .isInstanceOf(LaunchException.class));
        begun.await();

        parts.close();

        assertThat(stopped).containsExactly("interrupted: false");
        starter.join();
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
        parts.start(Stage.SERVERS, () -> part("server"));
        parts.start(Stage.SERVICES, () -> () -> {
            caller.interrupt();
            // Until it has been noticed.
            while (caller.isInterrupted()) {
                Thread.onSpinWait();
            }
            stopped.add("service");
        });
        parts.start(Stage.GATEWAY, () -> part("gateway"));
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
