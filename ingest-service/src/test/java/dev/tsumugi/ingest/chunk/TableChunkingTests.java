package dev.tsumugi.ingest.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.ingest.parse.DocumentParser;
import dev.tsumugi.ingest.parse.ParseLimits;
import dev.tsumugi.ingest.parse.ParsedDocument;
import dev.tsumugi.ingest.parse.TestFiles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A cell means little without the name of its column: each chunk of a table carries the names. */
class TableChunkingTests {
    @TempDir
    Path folder;

    private final DocumentParser parser = new DocumentParser(ParseLimits.DEFAULT);
    private final Chunker chunker = new StructureChunker(200, 256, 24);

    @Test
    void every_chunk_of_a_sheet_names_the_columns_and_those_of_the_next_sheet_do_not() throws Exception {
        List<TextChunk> chunks = chunks(TestFiles.longXlsx(120), "readings.xlsx");

        assertThat(chunks).hasSizeGreaterThan(2);
        assertThat(chunks.getFirst().text())
                .contains("As of 31 March", "Pump | Pressure in bar", "Pump number 0 | 0.5");
        assertThat(chunks.subList(1, chunks.size() - 1))
                .extracting(TextChunk::heading)
                .containsOnly("Readings > Pump | Pressure in bar");
        assertThat(chunks.getLast().heading()).doesNotContain("Pressure");
        assertThat(chunks.getLast().text()).isEqualTo("Notes\n\nAuthor | Remark");
    }

    @Test
    void every_chunk_of_a_csv_file_names_the_columns() throws Exception {
        StringBuilder csv = new StringBuilder("pump,pressure\n");
        for (int i = 0; i < 120; i++) {
            csv.append("pump number ").append(i).append(',').append(i).append(".5\n");
        }

        List<TextChunk> chunks = chunks(csv.toString().getBytes(StandardCharsets.UTF_8), "readings.csv");

        assertThat(chunks).hasSizeGreaterThan(2);
        assertThat(chunks.subList(1, chunks.size()))
                .extracting(TextChunk::heading)
                .containsOnly("pump,pressure");
    }

    private List<TextChunk> chunks(byte[] content, String name) throws Exception {
        ParsedDocument document = parser.parse(Files.write(folder.resolve(name), content), name, null);
        return chunker.chunk(document);
    }
}
