package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.engine.tensor.OwnedMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SlabsTests {

    @Test
    void piecesAreZeroedAlignedAndApart() {
        Slabs slabs = new Slabs();
        List<OwnedMemory> pieces = new ArrayList<>();
        // More than one slab holds, and one that is a slab of its own.
        for (long bytes : new long[] {1, 63, 64, 8 << 20, 7 << 20, 8 << 20, 8 << 20, 40 << 20, 100}) {
            OwnedMemory piece = slabs.allocate(bytes);
            MemorySegment segment = piece.segment();
            assertThat(segment.byteSize()).isEqualTo(bytes);
            assertThat(segment.address() % 64).isZero();
            assertThat(segment.get(ValueLayout.JAVA_BYTE, bytes - 1)).isZero();
            segment.fill((byte) (pieces.size() + 1));
            pieces.add(piece);
        }
        for (int i = 0; i < pieces.size(); i++) {
            MemorySegment segment = pieces.get(i).segment();
            assertThat(segment.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) (i + 1));
            assertThat(segment.get(ValueLayout.JAVA_BYTE, segment.byteSize() - 1))
                    .isEqualTo((byte) (i + 1));
        }
        pieces.forEach(OwnedMemory::close);
        slabs.close();
    }

    @Test
    void aPieceOutlivesTheBackendAndClosesOnce() {
        Slabs slabs = new Slabs();
        OwnedMemory first = slabs.allocate(100);
        OwnedMemory second = slabs.allocate(100);
        first.close();
        first.close();
        slabs.close();

        second.segment().fill((byte) 7);

        assertThat(second.segment().get(ValueLayout.JAVA_BYTE, 99)).isEqualTo((byte) 7);
        assertThat(first.segment().scope().isAlive()).isFalse();
        second.close();
    }
}
