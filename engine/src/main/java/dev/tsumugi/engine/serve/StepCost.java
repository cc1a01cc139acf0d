package dev.tsumugi.engine.serve;

/**
 * What a decoding step of so many rows costs, as measured while serving: it depends on model, machine and load. Where nothing was measured
 * lately, a row more is taken to cost a fifth of a step of one row beyond the nearest measurement.
 */
final class StepCost {
    /** Steps of more rows are not measured, and not sped up by guessing. */
    static final int MOST_ROWS = 64;

    private static final double ROW = 0.2;
    private static final double FADING = 0.8;
    private static final int FORGOTTEN_AFTER = 512;

    private final double[] nanos = new double[MOST_ROWS + 1];
    private final long[] measured = new long[MOST_ROWS + 1];
    private long steps = FORGOTTEN_AFTER;

    /** Counts a step; one that the machine interrupted weighs no more than twice the usual. */
    void record(int rows, long elapsed) {
        if (rows > MOST_ROWS || elapsed <= 0) {
            return;
        }
        steps++;
        double usual = nanos[rows];
        nanos[rows] = isKnown(rows) ? FADING * usual + (1 - FADING) * Math.min(elapsed, 2 * usual) : elapsed;
        measured[rows] = steps;
    }

    /** In a unit of its own; only to be compared with other costs of the same moment. */
    double of(int rows) {
        for (int distance = 0; distance <= MOST_ROWS; distance++) {
            if (isKnown(rows - distance)) {
                return scaled(rows - distance, rows);
            }
            if (isKnown(rows + distance)) {
                return scaled(rows + distance, rows);
            }
        }
        return prior(rows);
    }

    private double scaled(int known, int rows) {
        return nanos[known] * prior(rows) / prior(known);
    }

    private static double prior(int rows) {
        return 1 + ROW * (rows - 1);
    }

    private boolean isKnown(int rows) {
        return rows >= 1 && rows <= MOST_ROWS && measured[rows] > steps - FORGOTTEN_AFTER && nanos[rows] > 0;
    }
}
