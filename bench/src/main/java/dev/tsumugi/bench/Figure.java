package dev.tsumugi.bench;

import java.util.Arrays;
import tools.jackson.databind.json.JsonMapper;

/**
 * One measured figure: several runs of the same work.
 *
 * @param otherCores cores that other programs used meanwhile; above 0.1 the figure was disturbed; negative where the system does not tell
 */
record Figure(String name, String unit, double[] runs, int threads, double otherCores) {
    private static final JsonMapper JSON = JsonMapper.shared();

    double median() {
        double[] sorted = runs.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    double min() {
        return Arrays.stream(runs).min().orElseThrow();
    }

    double max() {
        return Arrays.stream(runs).max().orElseThrow();
    }

    /** One line, in the form that other programs' figures have too. */
    String toJson() {
        return JSON.writeValueAsString(new Line(
                "tsumugi",
                name,
                unit,
                rounded(median()),
                rounded(min()),
                rounded(max()),
                runs.length,
                threads,
                rounded(otherCores)));
    }

    /** One row of the table for people. */
    String toRow() {
        return "%-72s %12s %-10s  (%s to %s, %d runs%s)"
                .formatted(
                        name,
                        plain(median()),
                        unit,
                        plain(min()),
                        plain(max()),
                        runs.length,
                        otherCores > 0.1 ? ", disturbed by other programs" : "");
    }

    private static String plain(double value) {
        return Math.abs(value) >= 100 ? "%.0f".formatted(value) : "%.3g".formatted(value);
    }

    private static double rounded(double value) {
        return Double.parseDouble("%.4g".formatted(value));
    }

    private record Line(
            String peer,
            String figure,
            String unit,
            double median,
            double min,
            double max,
            int runs,
            int threads,
            double other_cores) {}
}
