package dev.tsumugi.engine.kernels;

/** Opens one kind of backend; found by {@link java.util.ServiceLoader}, chosen by {@link Backends#open}. */
public interface BackendProvider {

    /** As in the setting {@code backend=...}: lower case, one word. */
    String name();

    /** Where {@code auto} looks first: highest wins. Negative: {@code auto} never takes it. */
    int preference();

    /** Whether it can run on this machine, cheaply found out and without side effects. */
    Availability availability();

    /** Whether its backend has {@link Backend#trainingKernels}. */
    default boolean trains() {
        return true;
    }

    /** Whether {@code auto} may train with it; otherwise it must be named. */
    default boolean trainsUnasked() {
        return trains();
    }

    /**
     * @param threads that compute, the caller's included; at least 1
     * @throws IllegalStateException with the reason when it is not available
     */
    Backend open(int threads, Precision precision);

    /**
     * @param reason why not, and what to do about it; empty where available
     */
    record Availability(boolean available, String reason) {
        public static Availability yes() {
            return new Availability(true, "");
        }

        public static Availability no(String reason) {
            return new Availability(false, reason);
        }
    }
}
