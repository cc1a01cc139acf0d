package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.runtime.StateFolder;
import dev.tsumugi.launcher.terminal.Output;
import java.util.Locale;
import java.util.Map;

/** What is said when questions can be asked. Scripts get the place of the key, people at a terminal an address with the key in it. */
record ReadyMessage(StateFolder home, int port, boolean newKey, double seconds) {
    Map<String, Object> forScripts() {
        return Map.of(
                "address", address(),
                "home", home.path().toString(),
                "keyFile", home.adminKeyFile().toString(),
                "newKey", newKey,
                "pid", ProcessHandle.current().pid(),
                "seconds", seconds);
    }

    void say(Output output) {
        output.say(String.format(Locale.ROOT, "Tsumugi is ready after %.1f s.", seconds));
        home.adminKey().ifPresent(key -> {
            output.say("  Web page  " + address() + "/#key=" + key);
            if (newKey) {
                output.say("  Admin key " + key + "  (shown once; kept in " + home.adminKeyFile() + ")");
            }
        });
        output.say("  REST API  " + address() + "/api/v1, OpenAI-compatible under " + address() + "/v1");
    }

    private String address() {
        return "http://localhost:" + port;
    }
}
