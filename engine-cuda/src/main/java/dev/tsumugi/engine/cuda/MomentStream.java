package dev.tsumugi.engine.cuda;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * Brings an optimizer's moments from pinned memory of the host through the device, part after part: while one is updated, the next is on its way in
 * and the one before on its way out. So moments take no more of the device than the parts under way.
 */
final class MomentStream implements AutoCloseable {
    /** One on its way in, one that is updated, one on its way out. */
    private static final int PARTS = 3;

    /** Of each part, at most. */
    static final long PART_BYTES = 2 << 20;

    private static final long ALIGNMENT = 256;

    private final Device device;
    private final Commands commands;
    private final long in;
    private final long out;
    private final Part[] parts = new Part[PARTS];
    private int next;

    /** Room of one part, and what happens with it. */
    private record Part(DeviceMemory memory, long filled, long updated, long free) {}

    MomentStream(Device device, Commands commands) {
        this.device = device;
        this.commands = commands;
        in = device.newStream();
        out = device.newStream();
        for (int i = 0; i < PARTS; i++) {
            parts[i] = new Part(
                    new DeviceMemory(device, PART_BYTES, commands::flush),
                    device.newEvent(),
                    device.newEvent(),
                    device.newEvent());
        }
    }

    /**
     * Updates one part, some time before {@link #await} comes back.
     *
     * @param slices of pinned memory, which are read and written; with their padding {@link #PART_BYTES} at most
     * @param update launches kernels over the slices' copies, whose addresses it is given
     */
    void pass(MemorySegment[] slices, Consumer<long[]> update) {
        Part part = parts[next];
        next = (next + 1) % PARTS;
        long[] addresses = new long[slices.length];
        long at = 0;
        for (int i = 0; i < slices.length; i++) {
            addresses[i] = part.memory.address() + at;
            at += padded(slices[i].byteSize());
        }
        if (at > PART_BYTES) {
            throw new IllegalArgumentException(at + " bytes of moments do not fit a part of " + PART_BYTES);
        }
        device.enter();
        device.await(part.free, in);
        for (int i = 0; i < slices.length; i++) {
            device.copyIn(slices[i], addresses[i], in);
        }
        device.record(part.filled, in);
        commands.flush();
        device.await(part.filled, device.stream());
        update.accept(addresses);
        commands.flush();
        device.record(part.updated, device.stream());
        device.await(part.updated, out);
        for (int i = 0; i < slices.length; i++) {
            device.copyOut(addresses[i], slices[i], out);
        }
        device.record(part.free, out);
    }

    static long padded(long bytes) {
        return bytes + ALIGNMENT - 1 & -ALIGNMENT;
    }

    /** Waits until all parts have been written back. */
    void await() {
        device.enter();
        device.synchronize(out);
    }

    @Override
    public void close() {
        await();
        for (Part part : parts) {
            part.memory.close();
            device.freeEvent(part.filled);
            device.freeEvent(part.updated);
            device.freeEvent(part.free);
        }
        device.freeStream(in);
        device.freeStream(out);
    }
}
