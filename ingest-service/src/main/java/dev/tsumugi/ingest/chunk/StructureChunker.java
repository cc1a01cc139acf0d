package dev.tsumugi.ingest.chunk;

import dev.tsumugi.ingest.chunk.Segment.Boundary;
import dev.tsumugi.ingest.parse.ParsedDocument;
import java.util.ArrayList;
import java.util.List;

/**
 * Packs segments into passages of about {@code targetTokens}, never more than {@code maxTokens} with the heading. Each passage ends at the
 * place that weighs best between the kind of boundary there and the distance from the wished size; a section of at least a quarter of that
 * size ends a passage in any case, and a heading never ends one. Where a passage ends within a paragraph, the next repeats a little.
 */
final class StructureChunker implements Chunker {
    private static final double SMALLEST_SECTION = 0.25;
    private static final double HEADING_SHARE = 0.25;
    private static final double SEGMENT_SHARE = 0.25;
    /** Stranding a heading at the end of a passage is worse than any size. */
    private static final double STRANDED_HEADING = -2;

    private final int targetTokens;
    private final int maxTokens;
    private final int overlapTokens;
    private final int maxHeadingTokens;
    private final int maxSegmentTokens;

    StructureChunker(int targetTokens, int maxTokens, int overlapTokens) {
        this.targetTokens = targetTokens;
        this.maxTokens = maxTokens;
        this.overlapTokens = overlapTokens;
        this.maxHeadingTokens = (int) (maxTokens * HEADING_SHARE);
        this.maxSegmentTokens = Math.max(1, (int) (maxTokens * SEGMENT_SHARE));
    }

    @Override
    public List<TextChunk> chunk(ParsedDocument document) {
        List<Segment> segments = Segmenter.segments(document, maxSegmentTokens);
        HeadingPath headings = new HeadingPath(document, maxHeadingTokens);
        List<TextChunk> chunks = new ArrayList<>();
        int first = 0;
        while (first < segments.size()) {
            int from = withOverlap(segments, first);
            String heading = headings.at(segments.get(from).start());
            int last = lastOf(segments, from, first, maxTokens - TokenEstimate.of(heading));
            int start = segments.get(from).start();
            int end = segments.get(last).end();
            chunks.add(new TextChunk(start, end, heading, document.text().substring(start, end)));
            first = last + 1;
        }
        return chunks;
    }

    /** The first segment of a passage whose new text begins at {@code first}. */
    private int withOverlap(List<Segment> segments, int first) {
        int from = first;
        int tokens = 0;
        while (from > 0
                && segments.get(from).before().isWithinBlock()
                && tokens + segments.get(from - 1).tokens() <= overlapTokens) {
            from--;
            tokens += segments.get(from).tokens();
        }
        return from;
    }

    private int lastOf(List<Segment> segments, int from, int first, int budget) {
        int tokens = 0;
        for (int i = from; i < first; i++) {
            tokens += segments.get(i).tokens();
        }
        int best = first;
        double bestScore = Double.NEGATIVE_INFINITY;
        for (int last = first; last < segments.size(); last++) {
            tokens += segments.get(last).tokens();
            if (tokens > budget && last > first) {
                break;
            }
            Boundary after = last + 1 == segments.size()
                    ? Boundary.HEADING
                    : segments.get(last + 1).before();
            double score = after.weight - (double) Math.abs(tokens - targetTokens) / targetTokens;
            boolean stranded = segments.get(last).heading() && last + 1 < segments.size();
            if (stranded) {
                score += STRANDED_HEADING;
            } else if (after == Boundary.HEADING && tokens >= targetTokens * SMALLEST_SECTION) {
                return last;
            }
            if (score > bestScore) {
                best = last;
                bestScore = score;
            }
        }
        return best;
    }
}
