package dev.tsumugi.ingest.parse;

import java.time.Duration;

/**
 * What one document may cost.
 *
 * @param timeout for parsing one document
 * @param maxCharacters of parsed text
 * @param maxUnpackedBytes of all parts of a zip-based format (DOCX, PPTX, XLSX) together
 */
public record ParseLimits(Duration timeout, int maxCharacters, long maxUnpackedBytes) {
    public static final ParseLimits DEFAULT = new ParseLimits(Duration.ofMinutes(2), 20_000_000, 512L << 20);
}
