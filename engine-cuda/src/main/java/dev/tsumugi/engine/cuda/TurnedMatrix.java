package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Weight;

/** A matrix on the device read the other way round; the memory is the matrix's. */
record TurnedMatrix(DeviceMatrix matrix) implements Weight {
    @Override
    public int outputs() {
        return matrix.inputs();
    }

    @Override
    public int inputs() {
        return matrix.outputs();
    }

    @Override
    public long byteSize() {
        return 0;
    }

    @Override
    public void close() {}
}
