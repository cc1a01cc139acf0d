package dev.tsumugi.bench;

import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.PortPlan;
import dev.tsumugi.launcher.runtime.StateFolder;
import java.nio.file.Path;
import java.util.Set;

/** Where the platform of this account is. */
final class Locations {
    private Locations() {}

    static Path home() {
        return StateFolder.fromEnvironment().path();
    }

    static int port() {
        return PlatformRecord.running(new StateFolder(home()))
                .map(PlatformRecord::port)
                .orElseThrow(() -> new BenchException(
                        "No platform runs on " + home() + ". Start it with ./tsumugi up --detach first."));
    }

    static int postgresPort(int gatewayPort) {
        return new PortPlan(gatewayPort).postgres();
    }

    /** The launcher's process and all below it: broker, PostgreSQL and its workers. */
    static Set<Long> platformProcesses(Path home) {
        ProcessHandle launcher = PlatformRecord.running(new StateFolder(home))
                .flatMap(PlatformRecord::handle)
                .orElseThrow(() -> new BenchException("The platform has ended."));
        return Processors.tree(launcher);
    }
}
