package dev.tsumugi.engine.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Small tables that change from step to step, at an address that does not: written into pinned memory, copied to the device in its stream. Whoever
 * writes waits before that the device has read what was there.
 */
final class Staging implements AutoCloseable {
    private static final long ALIGNMENT = 64;
    private static final long FIRST_BYTES = 1 << 16;

    private final Device device;
    private final Runnable beforeFree;
    private MemorySegment host;
    private DeviceMemory memory;
    private long length;

    /** @param beforeFree makes launches that may still read it */
    Staging(Device device, Runnable beforeFree) {
        this.device = device;
        this.beforeFree = beforeFree;
        host = device.pinned(FIRST_BYTES);
        memory = new DeviceMemory(device, FIRST_BYTES, beforeFree);
    }

    /** Begins anew with room for {@code bytes} in {@code parts} parts. */
    void begin(long bytes, int parts) {
        length = 0;
        long needed = bytes + parts * ALIGNMENT;
        if (needed > host.byteSize()) {
            long grown = Long.highestOneBit(needed) * 2;
            memory.close();
            device.unpin(host);
            host = device.pinned(grown);
            memory = new DeviceMemory(device, grown, beforeFree);
        }
    }

    /** Begins a part; returns where it will be on the device. */
    long part() {
        length = length + ALIGNMENT - 1 & -ALIGNMENT;
        return memory.address() + length;
    }

    void put(int value) {
        host.set(ValueLayout.JAVA_INT, length, value);
        length += Integer.BYTES;
    }

    void put(long value) {
        host.set(ValueLayout.JAVA_LONG_UNALIGNED, length, value);
        length += Long.BYTES;
    }

    void put(int[] values) {
        MemorySegment.copy(values, 0, host, ValueLayout.JAVA_INT, length, values.length);
        length += (long) values.length * Integer.BYTES;
    }

    void put(float[] values) {
        MemorySegment.copy(values, 0, host, ValueLayout.JAVA_FLOAT, length, values.length);
        length += (long) values.length * Float.BYTES;
    }

    /** Leaves room for some integers, whose content does not matter. */
    void skip(int integers) {
        length += (long) integers * Integer.BYTES;
    }

    /** Sends what was put. */
    void send() {
        device.enter();
        device.uploadInStream(host, length, memory.address());
    }

    @Override
    public void close() {
        memory.close();
        device.unpin(host);
    }
}
