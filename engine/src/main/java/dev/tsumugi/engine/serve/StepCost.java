package dev.tsumugi.engine.serve;

/**
 * What a decoding step of so many rows costs, as measured while serving: it depends on model, machine and load. A straight line through the
 * steps of the last moments (least squares), held by two made-up steps that say a row more costs a fifth of a step of one. So what was
 * measured of wide steps fades while there are none, and they are tried again.
 */
final class StepCost {
    private static final double USUAL_ROW = 0.2;
    private static final double CHEAPEST_ROW = 0.01;
    private static final double FADING = 0.98;
    /** A step that the machine interrupted counts as one that took no more than so many times what was expected. */
    private static final double LONGEST = 2;

    private static final int MADE_UP_ROWS = 6;
    private static final double MADE_UP_WEIGHT = 0.3;

    // Sums over steps of weight, of rows - 1, of time, and of their products.
    private double weight;
    private double rows;
    private double time;
    private double rowsSquared;
    private double rowsTime;

    private double first = 1;
    private double more = USUAL_ROW;

    void record(int stepRows, long nanos) {
        if (nanos <= 0) {
            return;
        }
        double x = stepRows - 1.0;
        double y = weight == 0 ? nanos : Math.min(nanos, LONGEST * of(stepRows));
        weight = weight * FADING + 1;
        rows = rows * FADING + x;
        time = time * FADING + y;
        rowsSquared = rowsSquared * FADING + x * x;
        rowsTime = rowsTime * FADING + x * y;
        fit();
    }

    private void fit() {
        double usual = time / (weight + USUAL_ROW * rows);
        double x = MADE_UP_ROWS;
        double y = usual * (1 + USUAL_ROW * x);
        double n = weight + 2 * MADE_UP_WEIGHT;
        double sumX = rows + MADE_UP_WEIGHT * x;
        double sumY = time + MADE_UP_WEIGHT * (usual + y);
        double sumXx = rowsSquared + MADE_UP_WEIGHT * x * x;
        double sumXy = rowsTime + MADE_UP_WEIGHT * x * y;
        double slope = (n * sumXy - sumX * sumY) / (n * sumXx - sumX * sumX);
        double average = sumY / n;
        // A line that falls, or begins below zero, is noise.
        slope = Math.clamp(slope, CHEAPEST_ROW * usual, average * n / sumX * 0.95);
        first = (sumY - slope * sumX) / n;
        more = slope;
    }

    /** In a unit of its own; only to be compared with other costs of the same moment. */
    double of(int stepRows) {
        return first + more * (stepRows - 1);
    }
}
