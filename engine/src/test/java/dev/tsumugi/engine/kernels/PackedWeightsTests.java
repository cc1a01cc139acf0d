package dev.tsumugi.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.tsumugi.engine.quant.Quantization;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.HostMemory;
import dev.tsumugi.engine.tensor.OwnedMemory;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackedWeightsTests {
    private static final String NAME = "model.packed";
    private static final int BYTES = 1000;

    @TempDir
    private Path folder;

    /** One start: asks for two forms; packing writes the number of the start. */
    private final class Start {
        private final byte number;
        private int packed;
        private byte first;
        private byte second;

        Start(int number) {
            this.number = (byte) number;
        }

        Start with(String stamp, Tensor... sources) {
            return with(PackedWeights.in(folder, "model", stamp, BYTES), sources);
        }

        Start with(PackedWeights kept, Tensor... sources) {
            try (kept) {
                first = fill(kept, sources[0]);
                second = fill(kept, sources[1]);
                kept.complete();
            }
            return this;
        }

        private byte fill(PackedWeights kept, Tensor source) {
            OwnedMemory form = new ArenaMemory(BYTES);
            kept.fill(form, source, "form", () -> {
                packed++;
                assertThat(form.segment().get(ValueLayout.JAVA_BYTE, BYTES - 1))
                        .as("memory to pack into is zeroed")
                        .isZero();
                form.segment().fill(number);
            });
            byte result = form.segment().get(ValueLayout.JAVA_BYTE, BYTES - 1);
            form.close();
            return result;
        }

        void packedAll() {
            assertThat(packed).isEqualTo(2);
            assertThat(first).isEqualTo(number);
            assertThat(second).isEqualTo(number);
        }

        void readWhatWasPackedBy(int other) {
            assertThat(packed).isZero();
            assertThat(first).isEqualTo((byte) other);
            assertThat(second).isEqualTo((byte) other);
        }
    }

    private static Tensor source(int seed) {
        MemorySegment values = MemorySegment.ofArray(new Random(seed)
                .ints(64)
                .mapToObj(Integer::valueOf)
                .mapToInt(i -> i)
                .toArray());
        MemorySegment off = Arena.ofAuto().allocate(values.byteSize(), 64).copyFrom(values);
        return new Tensor(DType.F32, new Shape(8, 8), new HostMemory(off), 0);
    }

    private static final Tensor A = source(1);
    private static final Tensor B = source(2);

    private List<String> files() throws IOException {
        try (Stream<Path> listed = Files.list(folder)) {
            return listed.map(file -> String.valueOf(file.getFileName())).toList();
        }
    }

    @Test
    void the_next_start_reads_what_this_one_packs() throws IOException {
        new Start(1).with("stamp", A, B).packedAll();
        assertThat(files()).containsExactly(NAME);

        new Start(2).with("stamp", A, B).readWhatWasPackedBy(1);
    }

    @Test
    void other_files_are_packed_anew_and_kept_instead() {
        new Start(1).with("stamp", A, B).packedAll();

        new Start(2).with("another", A, B).packedAll();

        new Start(3).with("another", A, B).readWhatWasPackedBy(2);
    }

    @Test
    void weights_in_another_order_are_not_mistaken_for_each_other() {
        new Start(1).with("stamp", A, B).packedAll();

        new Start(2).with("stamp", B, A).packedAll();

        new Start(3).with("stamp", B, A).packedAll();
        new Start(4).with("stamp", B, A).readWhatWasPackedBy(3);
    }

    @Test
    void a_damaged_form_is_packed_and_its_file_removed() throws IOException {
        new Start(1).with("stamp", A, B).packedAll();
        try (FileChannel file = FileChannel.open(folder.resolve(NAME), StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(new byte[] {99}), BYTES + 5);
        }

        Start damaged = new Start(2).with("stamp", A, B);

        assertThat(damaged.first).isEqualTo((byte) 1);
        assertThat(damaged.second).isEqualTo((byte) 2);
        assertThat(files()).isEmpty();
    }

    @Test
    void a_file_that_is_cut_short_is_written_anew() throws IOException {
        new Start(1).with("stamp", A, B).packedAll();
        try (FileChannel file = FileChannel.open(folder.resolve(NAME), StandardOpenOption.WRITE)) {
            file.truncate(file.size() - 1);
        }

        new Start(2).with("stamp", A, B).packedAll();

        new Start(3).with("stamp", A, B).readWhatWasPackedBy(2);
    }

    @Test
    void a_start_that_fails_keeps_nothing() throws IOException {
        try (PackedWeights kept = PackedWeights.in(folder, "model", "stamp", BYTES)) {
            new Start(1).fill(kept, A);
        }

        assertThat(files()).isEmpty();
    }

    @Test
    void what_a_killed_start_left_is_in_nobodys_way() throws IOException {
        Path part = Files.createFile(folder.resolve(NAME + ".part"));
        new Start(1).with("stamp", A, B).packedAll();
        assertThat(files()).as("another start may still be writing").containsExactly(NAME + ".part");

        Files.setLastModifiedTime(part, FileTime.from(Instant.now().minusSeconds(3600)));
        new Start(2).with("stamp", A, B).packedAll();
        new Start(3).with("stamp", A, B).readWhatWasPackedBy(2);
    }

    @Test
    void what_no_start_has_read_for_a_month_is_removed_when_another_model_is_kept() throws IOException {
        new Start(1).with(PackedWeights.in(folder, "old", "stamp", BYTES), A, B).packedAll();
        Path old = folder.resolve("old.packed");
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofDays(31))));
        new Start(2).with(PackedWeights.in(folder, "old", "stamp", BYTES), A, B).readWhatWasPackedBy(1);
        new Start(3).with("stamp", A, B).packedAll();
        assertThat(files()).as("reading it was a use").containsExactlyInAnyOrder("old.packed", NAME);

        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofDays(31))));
        new Start(4).with("another", A, B).packedAll();

        assertThat(files()).containsExactly(NAME);
    }

    @Test
    void a_place_that_cannot_be_written_and_a_model_too_large_are_no_errors() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        new Start(1).with(PackedWeights.in(file, "model", "stamp", BYTES), A, B).packedAll();
        new Start(2)
                .with(PackedWeights.in(folder, "model", "stamp", PackedWeights.LARGEST_MODEL + 1), A, B)
                .packedAll();
        assertThat(files()).containsExactly("file");
    }

    /** A row as {@link RotatedInt8} rounds weights. */
    private static byte[] rounded(int inputs) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate(4L * inputs, 64);
            Random random = new Random(6);
            for (int i = 0; i < inputs; i++) {
                row.setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
            }
            MemorySegment turned = arena.allocate(4L * RotatedInt8.room(inputs), 64);
            MemorySegment bytes = arena.allocate(inputs, 64);
            RotatedInt8.quantize(row, 0, inputs, turned, 0, bytes.address());
            return bytes.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Whoever changes how weights are packed raises {@link PackedWeights}' LAYOUT, or forms of an earlier build are taken for new ones. */
    @Test
    void a_change_of_layout_is_noticed() {
        Map<Integer, Long> known = Map.of(16, 3_418_149_762L, 8, 3_496_017_069L, 4, 2_591_891_028L);
        assumeThat(known).containsKey(Lanes.L);
        CRC32C all = new CRC32C();
        try (Arena arena = Arena.ofShared();
                VectorBackend backend = new VectorBackend(1, Precision.FAST)) {
            for (DType dtype : List.of(DType.Q4_0, DType.Q4_1, DType.Q8_0)) {
                int rows = 2 * Lanes.PANEL + 3;
                float[] values = new float[rows * 64];
                Random random = new Random(5);
                for (int i = 0; i < values.length; i++) {
                    values[i] = random.nextFloat() - 0.5f;
                }
                byte[] blocks = Quantization.toBlocks(dtype, values);
                MemorySegment bytes = arena.allocate(blocks.length, 64).copyFrom(MemorySegment.ofArray(blocks));
                PanelMatrix packed =
                        (PanelMatrix) backend.prepare(new Tensor(dtype, new Shape(rows, 64), new HostMemory(bytes), 0));
                long panelBytes = packed.byteSize() / packed.panels();
                MemorySegment form =
                        MemorySegment.ofAddress(packed.panelAddress(0)).reinterpret(panelBytes * packed.panels());
                all.update(form.asByteBuffer());
                packed.close();
            }
        }
        all.update(rounded(576));
        assertThat(all.getValue()).isEqualTo(known.get(Lanes.L));
    }
}
