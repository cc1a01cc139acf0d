package dev.tsumugi.engine.cuda;

/** A call of the CUDA driver that failed, with what to do about it. */
public final class CudaException extends IllegalStateException {
    private final int code;

    CudaException(String call, int code, String name, String text) {
        super(call + " failed: " + name + " (" + code + "): " + text + advice(code));
        this.code = code;
    }

    /** {@code CUresult}. */
    public int code() {
        return code;
    }

    /** Codes of {@code CUresult} in cuda.h that an operator can do something about. */
    private static String advice(int code) {
        return switch (code) {
            case 2 ->
                "; free memory of the GPU, or give this process less to do with: fewer adapters, a smaller cache, or a"
                        + " smaller model (what it may take at most is set by -Dtsumugi.gpu.memory)";
            case 100 -> "; see whether nvidia-smi lists a GPU, and whether this container was given one";
            case 46, 101 -> "; the GPU is held by another process or does not exist: see nvidia-smi";
            case 200, 209, 218, 222 ->
                "; the jar's device code does not fit this GPU or driver: update the driver (580 or later), or build with"
                        + " -Pcuda on this machine";
            case 214, 219, 227 ->
                "; the GPU reports a memory error that cannot be corrected (ECC): restart the process; if it comes back,"
                        + " reset or replace the GPU (nvidia-smi -q -d ECC)";
            case 700, 702, 715, 716, 717, 718, 719 ->
                "; the GPU's context is lost and this process must be restarted; the kernel log has the reason (Xid)";
            case 802, 803, 804 -> "; driver and kernel module do not fit together: restart the machine after an update";
            default -> "";
        };
    }
}
