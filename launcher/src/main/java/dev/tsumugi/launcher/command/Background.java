package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.Tsumugi;
import dev.tsumugi.launcher.runtime.LaunchException;
import dev.tsumugi.launcher.runtime.PlatformProcess;
import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.PortPlan;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import dev.tsumugi.launcher.terminal.StartReport;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Starts the platform in a process of its own and tells how that goes. */
final class Background {
    private static final Duration OTHER_START_LIMIT = Duration.ofMinutes(10);

    private Background() {}

    /** Returns when the platform is ready, at once when it is already. */
    static void ensureRunning(StateFolder home, PortPlan ports, Output output) {
        Optional<PlatformRecord> other = PlatformRecord.running(home);
        if (other.isPresent()) {
            PlatformRecord ready = awaitReady(home, other.get(), output);
            output.say(
                    "Tsumugi is running already (process " + ready.pid() + ", http://localhost:" + ready.port() + ").");
            output.object("running", ready);
            return;
        }
        output.say("Starting Tsumugi; state in " + home.path() + ", logs in " + home.logs());
        Relay relay = new Relay(home, ports, output);
        OptionalInt exitCode = PlatformProcess.start(home, Tsumugi.class, relay::line, relay.report::brokenOff);
        if (exitCode.isPresent()) {
            throw new LaunchException(
                    relay.error != null
                            ? relay.error
                            : "Tsumugi ended with exit code " + exitCode.getAsInt()
                                    + " while it started. Its logs are in " + home.logs()
                                    + " (platform.err, services.log).");
        }
    }

    private static PlatformRecord awaitReady(StateFolder home, PlatformRecord starting, Output output) {
        PlatformRecord now = starting;
        long deadline = System.nanoTime() + OTHER_START_LIMIT.toNanos();
        if (!now.ready()) {
            output.say("Another command is starting Tsumugi (process " + now.pid() + "); waiting for it.");
        }
        while (!now.ready()) {
            if (System.nanoTime() > deadline) {
                throw new LaunchException("Tsumugi (process " + now.pid() + ") is still starting after "
                        + OTHER_START_LIMIT.toMinutes() + " minutes. See the logs in " + home.logs() + ".");
            }
            LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
            now = PlatformRecord.running(home)
                    .orElseThrow(() -> new LaunchException(
                            "The other command did not get Tsumugi started. See the logs in " + home.logs() + "."));
        }
        return now;
    }

    /** Repeats what the starting process says. */
    private static final class Relay {
        private static final JsonMapper JSON = JsonMapper.shared();

        private final StateFolder home;
        private final PortPlan ports;
        private final Output output;
        private final StartReport report;
        private @Nullable String error;

        Relay(StateFolder home, PortPlan ports, Output output) {
            this.home = home;
            this.ports = ports;
            this.output = output;
            this.report = new StartReport(output);
        }

        /** True for the last line, which says that it is ready. */
        boolean line(String line) {
            JsonNode event;
            try {
                event = JSON.readTree(line);
            } catch (JacksonException e) {
                return false; // a library printed something
            }
            if (event.has("started")) {
                report.started(
                        event.get("started").asString(),
                        Duration.ofMillis(event.get("millis").asLong()));
            } else if (event.has("fetching")) {
                report.progress(
                        event.get("fetching").asString(),
                        event.get("bytes").asLong(),
                        event.get("of").asLong());
            } else if (event.has("error")) {
                error = event.get("error").asString();
            } else if (event.has("ready")) {
                JsonNode ready = event.get("ready");
                output.object(event);
                new ReadyMessage(
                                home,
                                ports.gateway(),
                                ready.get("newKey").asBoolean(),
                                ready.get("seconds").asDouble())
                        .say(output);
                return true;
            }
            return false;
        }
    }
}
