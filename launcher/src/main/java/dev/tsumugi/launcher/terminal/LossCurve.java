package dev.tsumugi.launcher.terminal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** A curve in letters, for a terminal: the mean of each stretch of steps as a dot, the highest value at the top. */
public final class LossCurve {
    private static final int COLUMNS = 60;
    private static final int ROWS = 8;

    private LossCurve() {}

    /**
     * @param values in the order of their steps
     * @return lines, none where there are fewer than two values
     */
    public static List<String> of(List<Double> values) {
        if (values.size() < 2) {
            return List.of();
        }
        int columns = Math.min(COLUMNS, values.size());
        double[] means = new double[columns];
        for (int c = 0; c < columns; c++) {
            int from = (int) ((long) c * values.size() / columns);
            int to = (int) ((long) (c + 1) * values.size() / columns);
            means[c] = values.subList(from, to).stream()
                    .mapToDouble(value -> value)
                    .average()
                    .orElseThrow();
        }
        double high = Arrays.stream(means).max().orElseThrow();
        double low = Arrays.stream(means).min().orElseThrow();
        char[][] cells = new char[ROWS][columns];
        for (char[] row : cells) {
            Arrays.fill(row, ' ');
        }
        for (int c = 0; c < columns; c++) {
            double part = high == low ? 0 : (high - means[c]) / (high - low);
            cells[(int) Math.round(part * (ROWS - 1))][c] = '*';
        }
        List<String> lines = new ArrayList<>();
        for (int r = 0; r < ROWS; r++) {
            String label = r == 0 ? label(high) : r == ROWS - 1 ? label(low) : " ".repeat(8);
            lines.add((label + " |" + new String(cells[r])).stripTrailing());
        }
        lines.add(" ".repeat(9) + "+" + "-".repeat(columns));
        lines.add(" ".repeat(10) + "1"
                + " "
                        .repeat(Math.max(
                                1, columns - 1 - Integer.toString(values.size()).length())) + values.size());
        return lines;
    }

    private static String label(double value) {
        return String.format(Locale.ROOT, "%8.3f", value);
    }
}
