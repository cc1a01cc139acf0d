package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.runtime.LaunchException;
import dev.tsumugi.launcher.runtime.PlatformLog;
import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.PortPlan;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Option;

/** What all verbs have: {@code --help}, {@code --json}, and where Tsumugi runs. */
abstract class Verb implements Callable<Integer> {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and exit.")
    boolean help;

    @Option(names = "--json", description = "Print JSON for scripts, one object a line.")
    boolean json;

    static final int DONE = 0;
    static final int FAILED = 1;

    @Override
    public final Integer call() {
        chooseLog();
        return run(Output.standard(json));
    }

    abstract int run(Output output);

    void chooseLog() {
        PlatformLog.toStandardError();
    }

    static StateFolder home() {
        return StateFolder.fromEnvironment();
    }

    static PortPlan ports() {
        return PortPlan.of(System.getenv("TSUMUGI_PORT"));
    }

    /** The gateway that runs on the state folder, else the one that {@code TSUMUGI_PORT} names. */
    static GatewayClient gateway() {
        StateFolder home = home();
        Optional<PlatformRecord> running = PlatformRecord.running(home);
        if (running.isPresent() && !running.get().ready()) {
            throw new LaunchException("Tsumugi is still starting (process "
                    + running.get().pid() + "). Try again when ./tsumugi status says that it is running.");
        }
        return GatewayClient.of(home, running.map(PlatformRecord::port).orElseGet(() -> ports().gateway()));
    }
}
