package dev.tsumugi.launcher.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class PlatformRecordTests {
    @TempDir
    Path folder;

    private StateFolder home;

    @BeforeEach
    void createHome() {
        home = new StateFolder(folder);
        home.create();
    }

    @Test
    void a_holder_is_seen_until_it_lets_go() {
        PlatformRecord.Hold hold = PlatformRecord.take(home, 8180);
        PlatformRecord starting = PlatformRecord.running(home).orElseThrow();
        assertThat(starting.pid()).isEqualTo(ProcessHandle.current().pid());
        assertThat(starting.port()).isEqualTo(8180);
        assertThat(starting.ready()).isFalse();

        hold.ready();
        assertThat(PlatformRecord.running(home).orElseThrow().ready()).isTrue();

        hold.close();
        assertThat(PlatformRecord.running(home)).isEmpty();
    }

    @Test
    void a_second_one_is_refused_and_told_where_the_first_is() {
        try (PlatformRecord.Hold hold = PlatformRecord.take(home, 8180)) {
            assertThat(hold).isNotNull();
            assertThatThrownBy(() -> PlatformRecord.take(home, 8280))
                    .isInstanceOf(LaunchException.class)
                    .hasMessageContaining("running already")
                    .hasMessageContaining("http://localhost:8180");
        }
    }

    @Test
    @Timeout(30)
    void the_lock_of_a_killed_one_is_waited_for() throws Exception {
        // A record of a process that is no more, and a lock that is still held.
        Files.writeString(
                home.run().resolve("platform"), "pid=1\nstartedAt=2020-01-01T00:00:00Z\nport=8180\nready=true\n");
        try (FileChannel dying =
                FileChannel.open(home.run().resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            assertThat(dying.tryLock()).isNotNull();
            FutureTask<Boolean> next = new FutureTask<>(() -> {
                try (PlatformRecord.Hold hold = PlatformRecord.take(home, 8180)) {
                    return hold.followsKilled();
                }
            });
            Thread starting = Thread.ofPlatform().start(next);
            while (starting.getState() != Thread.State.TIMED_WAITING) {
                assertThat(next.isDone()).isFalse();
                Thread.onSpinWait();
            }

            dying.close();

            assertThat(next.get()).isTrue();
        }
    }

    @Test
    void a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it() throws IOException {
        Files.writeString(
                home.run().resolve("platform"),
                "pid=" + ProcessHandle.current().pid() + "\nstartedAt=2020-01-01T00:00:00Z\nport=8080\nready=true\n");

        assertThat(PlatformRecord.running(home)).isEmpty();
    }

    @Test
    void a_damaged_record_is_no_record() throws IOException {
        Files.writeString(home.run().resolve("platform"), "pid=x");

        assertThat(PlatformRecord.running(home)).isEmpty();
    }
}
