package dev.tsumugi.engine.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Shape;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTests {
    @TempDir
    Path folder;

    @Test
    void reads_types_shapes_and_values() {
        try (SafetensorsFile file = SafetensorsFile.open(Golden.path("gguf/blocks.safetensors"))) {
            Tensor x = file.tensor("x").orElseThrow();
            Tensor raw = file.tensor("Q4_0.raw").orElseThrow();
            float[] product = Golden.floats(file.tensor("F16.times_x").orElseThrow());
            float[] values = Golden.floats(file.tensor("F16.dequantized").orElseThrow());
            float[] vector = Golden.floats(x);

            assertThat(x.shape()).isEqualTo(new Shape(512));
            assertThat(raw.dtype()).isEqualTo(DType.U8);
            assertThat(raw.shape()).isEqualTo(new Shape(4, 288));
            double sum = 0;
            for (int i = 0; i < 512; i++) {
                sum += (double) values[512 + i] * vector[i];
            }
            assertThat((float) sum).isEqualTo(product[1]);
            assertThat(file.tensor("absent")).isEmpty();
        }
    }

    @Test
    void gives_header_metadata_and_names() {
        try (SafetensorsFile file = SafetensorsFile.open(Golden.path("tiny-qwen3/model.safetensors"))) {
            assertThat(file.metadata()).containsEntry("format", "pt");
            assertThat(file.names()).contains("model.norm.weight").doesNotContain("__metadata__");
        }
    }

    @Test
    void data_that_lies_askew_is_aligned_for_the_kernels() throws IOException {
        Path path = write(
                "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                        + "\"f\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}",
                new byte[] {7, 0, 0, -128, 63, 0, 0, 0, 64});
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensor("f").orElseThrow().segment().toArray(ValueLayout.JAVA_FLOAT))
                    .containsExactly(1f, 2f);
        }
    }

    @Test
    void other_element_types_are_refused_only_when_asked_for() throws IOException {
        Path path = write("{\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", new byte[8]);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.names()).containsExactly("d");
            assertThatThrownBy(() -> file.tensor("d"))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessageContaining("F64")
                    .hasMessageContaining("Convert the weights");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}                                                               | needs 8 bytes
            {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}                                                              | there are only 8
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}                                                               | there are 8
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}                                                               | overlap or gap
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}          | overlap or gap
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}          | Duplicate
            {"a":{"dtype":"F32","shape":[4611686018427387903,4],"data_offsets":[0,8]}}                                           | impossibly large
            {"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}                                            | out of range
            {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}                                                              | out of range
            {"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}                                                             | not a whole number
            {"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}                                               | more than 8 numbers
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}                                                               | data_offsets are
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}                                                                 | lacks
            {"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}                                                               | unknown element type
            {"a":{"dtype":"F32","shape":[2]}}                                                                                    | lacks
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}                                                      | unknown field
            {"a":3}                                                                                                              | not a JSON object
            {"__metadata__":{"x":1}}                                                                                             | not a text
            ["a"]                                                                                                                | not a JSON object
            {"a":{"dtype":"F32"                                                                                                  | not sound JSON
            """)
    void a_header_that_contradicts_itself_is_refused(String header, String reason) throws IOException {
        Path path = write(header, new byte[8]);

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining(path.toString())
                .hasMessageContaining(reason);
    }

    @Test
    void a_header_that_is_no_utf8_is_refused() throws IOException {
        byte[] header =
                "{\"aX\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}".getBytes(StandardCharsets.UTF_8);
        header[3] = (byte) 0xFF;

        assertThatThrownBy(() -> SafetensorsFile.open(write(header.length, header, new byte[8])))
                .isInstanceOf(ModelFileException.class);
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "-1", "1000", "9223372036854775807"})
    void a_header_length_beyond_the_file_is_refused(long length) throws IOException {
        Path path = write(length, "{}".getBytes(StandardCharsets.UTF_8), new byte[0]);

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("header length");
    }

    @Test
    void a_missing_or_empty_file_or_a_folder_says_so() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty"));

        assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("none"))).hasMessageContaining("no such file");
        assertThatThrownBy(() -> SafetensorsFile.open(empty)).hasMessageContaining("only 0 bytes");
        assertThatThrownBy(() -> SafetensorsFile.open(folder)).hasMessageContaining("folder");
    }

    private Path write(String header, byte[] data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return write(json.length, json, data);
    }

    private Path write(long length, byte[] header, byte[] data) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(length).put(header).put(data);
        return Files.write(folder.resolve("file.safetensors"), buffer.array());
    }
}
