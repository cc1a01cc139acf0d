package dev.tsumugi.ingest.chunk;

import jakarta.validation.constraints.AssertTrue;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotEmpty;
import java.util.List;
import java.util.function.ToIntFunction;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How documents are cut.
 *
 * @param splitter {@code structure} follows headings, paragraphs and sentences; {@code recursive}, {@code character} and {@code token} cut
 *     as LangChain's splitters of these names do
 * @param targetTokens wished size of a passage ({@code structure})
 * @param maxTokens largest size of a passage with its heading ({@code structure}); the embedding model's limit is 512
 * @param overlapTokens repeated from the passage before where a paragraph is cut ({@code structure})
 * @param unit what {@code size} and {@code overlap} count ({@code recursive}, {@code character}; {@code token} counts tokens)
 * @param size largest size of a passage (all but {@code structure})
 * @param overlap repeated from the passage before (all but {@code structure})
 * @param separators where to cut, best first; an empty one cuts anywhere ({@code recursive}; {@code character} takes the first)
 */
@ConfigurationProperties("tsumugi.ingest.chunking")
@Validated
public record ChunkingProperties(
        @DefaultValue("structure") Splitter splitter,
        @Min(32) @Max(480) @DefaultValue("200") int targetTokens,
        @Min(40) @Max(480) @DefaultValue("256") int maxTokens,
        @Min(0) @Max(100) @DefaultValue("24") int overlapTokens,
        @DefaultValue("characters") Unit unit,
        @Min(20) @Max(2000) @DefaultValue("150") int size,
        @Min(0) @Max(1000) @DefaultValue("20") int overlap,

        @NotEmpty @DefaultValue({"\n\n", "\n", "。", "！", "？", " ", ""})
        List<String> separators) {

    public enum Splitter {
        STRUCTURE,
        RECURSIVE,
        CHARACTER,
        TOKEN
    }

    /** Code points, or tokens by {@link TokenEstimate}. */
    public enum Unit {
        CHARACTERS,
        TOKENS
    }

    @AssertTrue(
            message =
                    "target-tokens must be at most max-tokens, overlap-tokens below half of target-tokens, and overlap below size")
    public boolean isConsistent() {
        return targetTokens <= maxTokens && overlapTokens * 2 < targetTokens && overlap < size;
    }

    public Chunker chunker() {
        return switch (splitter) {
            case STRUCTURE -> new StructureChunker(targetTokens, maxTokens, overlapTokens);
            case RECURSIVE -> new SeparatorChunker(SeparatorSplitter.recursive(size, overlap, separators, length()));
            case CHARACTER ->
                new SeparatorChunker(SeparatorSplitter.character(size, overlap, separators.getFirst(), length()));
            case TOKEN -> new TokenWindows(size, overlap);
        };
    }

    private ToIntFunction<String> length() {
        return unit == Unit.TOKENS ? TokenEstimate::of : SeparatorSplitter::codePoints;
    }
}
