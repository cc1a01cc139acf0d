package dev.tsumugi.engine.cuda;

import org.jspecify.annotations.Nullable;

/** Memory for values between two launches, which grows with the largest need and is used again by the next two. */
final class Scratch implements AutoCloseable {
    private final Device device;
    private final Commands commands;
    private @Nullable DeviceMemory memory;

    Scratch(Device device, Commands commands) {
        this.device = device;
        this.commands = commands;
    }

    /** Address of room for {@code count} floats, which holds anything. */
    long floats(long count) {
        long bytes = count * Float.BYTES;
        DeviceMemory current = memory;
        if (current == null || current.byteSize() < bytes) {
            close();
            current = new DeviceMemory(device, Math.max(bytes + bytes / 4, 1 << 16), commands::flush);
            memory = current;
        }
        return current.address();
    }

    @Override
    public void close() {
        if (memory != null) {
            memory.close();
            memory = null;
        }
    }
}
