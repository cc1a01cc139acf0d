package dev.tsumugi.system;

/** One platform for all tests of a run that do not stop or damage it; it ends with the test process. */
final class SharedPlatform {
    private SharedPlatform() {}

    private static final class Holder {
        static final RunningPlatform PLATFORM = start();

        private static RunningPlatform start() {
            RunningPlatform platform = RunningPlatform.start();
            Runtime.getRuntime().addShutdownHook(new Thread(platform::close, "shared-platform-end"));
            return platform;
        }
    }

    static RunningPlatform get() {
        return Holder.PLATFORM;
    }
}
