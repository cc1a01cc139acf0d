package dev.tsumugi.launcher.command;

import dev.tsumugi.contracts.api.DocumentPage;
import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;

@Command(name = "status", description = "Say whether Tsumugi runs, where, and how many documents it holds.")
public final class StatusCommand extends Verb {
    @Override
    int run(Output output) {
        StateFolder home = home();
        Optional<PlatformRecord> running = PlatformRecord.running(home);
        if (running.isEmpty()) {
            output.say("Tsumugi is not running on " + home.path() + ". Start it with ./tsumugi up");
            output.object(Map.of("running", false, "home", home.path().toString()));
            return FAILED;
        }
        PlatformRecord record = running.get();
        if (!record.ready()) {
            output.say("Tsumugi is starting (process " + record.pid() + ").");
            output.object(Map.of("running", true, "ready", false, "pid", record.pid(), "port", record.port()));
            return DONE;
        }
        DocumentPage documents = GatewayClient.of(home, record.port()).documents(1);
        output.say("Tsumugi is running (process " + record.pid() + ", since " + record.startedAt() + ").");
        output.say("  Address    http://localhost:" + record.port());
        output.say("  Documents  " + documents.total());
        output.say("  State      " + home.path());
        output.object(Map.of(
                "running", true,
                "ready", true,
                "pid", record.pid(),
                "port", record.port(),
                "startedAt", record.startedAt().toString(),
                "documents", documents.total(),
                "home", home.path().toString()));
        return DONE;
    }
}
