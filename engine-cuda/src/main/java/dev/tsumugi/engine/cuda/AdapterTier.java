package dev.tsumugi.engine.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Adapters in memory of the device, of all that the host keeps. One is sent beside what is computed, when it is made and there is room, else when a
 * batch needs it; then those that were not used for longest make room. Adapters are made and closed by any thread, brought by the one that
 * computes.
 */
final class AdapterTier implements AutoCloseable {
    /** Left to buffers that grow, unless a batch needs it. */
    private static final long SPARE_BYTES = 64 << 20;

    private final Device device;
    private final long copies;
    /** The one used for longest ago first. */
    private final Map<CudaLowRank, Place> places = new LinkedHashMap<>(16, 0.75f, true);

    private long evictions;

    /** Where an adapter is, from an event on. */
    private static final class Place {
        final DeviceMemory memory;
        final long arrived;
        boolean awaited;

        Place(DeviceMemory memory, long arrived) {
            this.memory = memory;
            this.arrived = arrived;
        }
    }

    AdapterTier(Device device) {
        this.device = device;
        copies = device.newStream();
    }

    /**
     * Sends an adapter on its way where there is room to spare.
     *
     * @throws CudaException when it could not be brought even if it were alone
     */
    synchronized void add(CudaLowRank adapter) {
        long there = places.values().stream()
                .mapToLong(place -> place.memory.byteSize())
                .sum();
        if (adapter.byteSize() > device.remaining() + there) {
            throw new CudaException(
                    "an adapter of " + (adapter.byteSize() >> 20) + " MiB on " + device.name(),
                    2,
                    "the budget is used up",
                    (device.remaining() + there >> 20) + " MiB are left for adapters");
        }
        if (adapter.byteSize() + SPARE_BYTES <= device.remaining()) {
            send(adapter);
        }
    }

    private void send(CudaLowRank adapter) {
        MemorySegment image = adapter.image();
        // What may still read it was launched before it goes.
        DeviceMemory memory = new DeviceMemory(device, adapter.byteSize(), () -> {});
        long arrived = device.newEvent();
        device.copyIn(image, memory.address(), copies);
        device.record(arrived, copies);
        places.put(adapter, new Place(memory, arrived));
    }

    /**
     * Has all of these on the device for what is launched from now on.
     *
     * @param beforeEviction makes launches that may still read what is evicted
     * @return false when they do not fit together; then nothing is evicted that need not be
     */
    synchronized boolean bring(Collection<CudaLowRank> needed, Runnable beforeEviction) {
        long missing = 0;
        long idle = 0;
        for (CudaLowRank adapter : needed) {
            missing += places.containsKey(adapter) ? 0 : adapter.byteSize();
        }
        for (Map.Entry<CudaLowRank, Place> entry : places.entrySet()) {
            idle += needed.contains(entry.getKey())
                    ? 0
                    : entry.getValue().memory.byteSize();
        }
        if (missing > device.remaining() + idle) {
            return false;
        }
        if (missing > device.remaining()) {
            beforeEviction.run();
            evict(needed, missing);
        }
        device.enter();
        for (CudaLowRank adapter : needed) {
            if (!places.containsKey(adapter)) {
                send(adapter);
            }
            Place place = place(adapter);
            if (!place.awaited) {
                device.await(place.arrived, device.stream());
                place.awaited = true;
            }
        }
        return true;
    }

    private void evict(Collection<CudaLowRank> needed, long bytes) {
        List<CudaLowRank> eldestFirst = new ArrayList<>(places.keySet());
        for (CudaLowRank adapter : eldestFirst) {
            if (device.remaining() >= bytes) {
                return;
            }
            if (!needed.contains(adapter)) {
                remove(adapter);
            }
        }
    }

    private Place place(CudaLowRank adapter) {
        Place place = places.get(adapter);
        if (place == null) {
            throw new IllegalStateException("an adapter that is not on the GPU is used");
        }
        return place;
    }

    /** Where one that was brought begins. */
    synchronized long address(CudaLowRank adapter) {
        return place(adapter).memory.address();
    }

    /** How often an adapter was taken from the device: then addresses from before may be others'. */
    synchronized long evictions() {
        return evictions;
    }

    /** How many are on the device. */
    synchronized int present() {
        return places.size();
    }

    /** Takes an adapter from the device, which waits for what runs there. */
    synchronized void remove(CudaLowRank adapter) {
        Place place = places.remove(adapter);
        if (place != null) {
            device.enter();
            device.synchronize(copies);
            place.memory.close();
            device.freeEvent(place.arrived);
            evictions++;
        }
    }

    @Override
    public synchronized void close() {
        for (CudaLowRank adapter : List.copyOf(places.keySet())) {
            remove(adapter);
        }
        device.freeStream(copies);
    }
}
