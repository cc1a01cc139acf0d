package dev.tsumugi.engine.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.IntBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** Arrays of the host that many launches read, on the device: those used last are kept, so that each layer does not send them again. */
final class HostArrays implements AutoCloseable {
    private static final int MOST_TABLES = 32;
    private static final int MOST_CONSTANTS = 8;

    private final Device device;
    private final Commands commands;
    /** By content. */
    private final Map<IntBuffer, DeviceMemory> tables = new LinkedHashMap<>(16, 0.75f, true);
    /** By identity: their content never changes. */
    private final Map<Constant, DeviceMemory> constants = new LinkedHashMap<>(16, 0.75f, true);

    @SuppressWarnings("ArrayRecordComponent") // compared by identity on purpose
    private record Constant(float[] values) {}

    HostArrays(Device device, Commands commands) {
        this.device = device;
        this.commands = commands;
    }

    /** Address of a copy, until {@value #MOST_TABLES} others were asked for. */
    long ints(int[] values) {
        DeviceMemory known = tables.get(IntBuffer.wrap(values));
        if (known == null) {
            makeRoom(tables, MOST_TABLES);
            try (Arena arena = Arena.ofConfined()) {
                known = uploaded(arena.allocateFrom(ValueLayout.JAVA_INT, values));
            }
            tables.put(IntBuffer.wrap(values.clone()), known);
        }
        return known.address();
    }

    /** Address of a copy of an array that never changes, until {@value #MOST_CONSTANTS} others were asked for. */
    long constants(float[] values) {
        DeviceMemory known = constants.get(new Constant(values));
        if (known == null) {
            makeRoom(constants, MOST_CONSTANTS);
            try (Arena arena = Arena.ofConfined()) {
                known = uploaded(arena.allocateFrom(ValueLayout.JAVA_FLOAT, values));
            }
            constants.put(new Constant(values), known);
        }
        return known.address();
    }

    /** Makes the launches that may still read what goes. Nothing is therefore asked for within a launch. */
    private static void makeRoom(Map<?, DeviceMemory> memories, int most) {
        if (memories.size() == most) {
            var eldest = memories.values().iterator();
            eldest.next().close();
            eldest.remove();
        }
    }

    private DeviceMemory uploaded(MemorySegment bytes) {
        DeviceMemory memory = new DeviceMemory(device, bytes.byteSize(), commands::flush);
        device.upload(bytes, memory.address());
        return memory;
    }

    private static void close(Map<?, DeviceMemory> memories) {
        memories.values().forEach(DeviceMemory::close);
        memories.clear();
    }

    @Override
    public void close() {
        close(tables);
        close(constants);
    }
}
