package dev.tsumugi.ingest.chunk;

/**
 * The smallest piece that is not cut any more: a sentence, or a part of a long one.
 *
 * @param tokens estimate
 * @param before what lies between this piece and the one before it
 * @param heading true for a piece of a heading
 * @param block number of the block it belongs to
 */
record Segment(int start, int end, int tokens, Boundary before, boolean heading, int block) {

    /** How well a text can be cut at a place, from worst to best; the weight is measured against shares of the wished size. */
    enum Boundary {
        WITHIN_WORD(-0.3),
        WORD(0),
        CLAUSE(0.08),
        LINE(0.2),
        SENTENCE(0.25),
        ITEM(0.35),
        PARAGRAPH(0.5),
        HEADING(1);

        final double weight;

        Boundary(double weight) {
            this.weight = weight;
        }

        boolean isWithinBlock() {
            return compareTo(ITEM) < 0;
        }
    }
}
