package dev.tsumugi.launcher.runtime;

import org.slf4j.bridge.SLF4JBridgeHandler;

/** Where log lines go. Must be chosen before the first logger is made. */
public final class PlatformLog {
    private PlatformLog() {}

    /** Errors to standard error; for commands that only talk to a running platform. */
    public static void toStandardError() {
        System.setProperty("logback.configurationFile", "dev/tsumugi/launcher/command-logback.xml");
    }

    /** Everything to {@code logs/services.log}. The services would each set logging up anew; they share this one instead. */
    public static void toFiles(StateFolder home) {
        home.create();
        System.setProperty("tsumugi.logs", home.logs().toString());
        System.setProperty("logback.configurationFile", "dev/tsumugi/launcher/platform-logback.xml");
        System.setProperty("org.springframework.boot.logging.LoggingSystem", "none");
        SLF4JBridgeHandler.removeHandlersForRootLogger();
        SLF4JBridgeHandler.install();
    }
}
