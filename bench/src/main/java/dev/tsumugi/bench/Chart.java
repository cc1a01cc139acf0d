package dev.tsumugi.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Figures as bars in an SVG file, those of one unit to one scale; the thin line spans the runs. */
final class Chart {
    private static final int WIDTH = 900;
    private static final int LABELS = 430;
    private static final int BARS = 330;
    private static final int ROW = 22;

    private Chart() {}

    static void write(List<Figure> figures, Path file) {
        Map<String, List<Figure>> byUnit = new LinkedHashMap<>();
        for (Figure figure : figures) {
            byUnit.computeIfAbsent(figure.unit(), unit -> new ArrayList<>()).add(figure);
        }
        StringBuilder body = new StringBuilder();
        int y = ROW;
        for (Map.Entry<String, List<Figure>> group : byUnit.entrySet()) {
            double largest =
                    group.getValue().stream().mapToDouble(Figure::max).max().orElseThrow();
            for (Figure figure : group.getValue()) {
                row(body, y, figure, largest <= 0 ? 0 : BARS / largest);
                y += ROW;
            }
            y += ROW / 2;
        }
        String svg = """
                <svg xmlns="http://www.w3.org/2000/svg" width="%1$d" height="%2$d" viewBox="0 0 %1$d %2$d" font-family="sans-serif" font-size="13">
                <rect width="%1$d" height="%2$d" fill="#ffffff"/>
                %3$s</svg>
                """.formatted(WIDTH, y, body);
        try {
            Files.writeString(file, svg);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot write " + file, e);
        }
    }

    private static void row(StringBuilder body, int y, Figure figure, double scale) {
        double median = Math.max(0, figure.median() * scale);
        double from = LABELS + Math.max(0, figure.min() * scale);
        double to = LABELS + Math.max(0, figure.max() * scale);
        String number = Math.abs(figure.median()) >= 100 ? "%.0f" : "%.3g";
        body.append("""
                <text x="%d" y="%d" text-anchor="end">%s</text>
                <rect x="%d" y="%d" width="%.1f" height="14" fill="#3b6ea5"/>
                <line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#111111"/>
                <text x="%.1f" y="%d">%s %s</text>
                """.formatted(
                        LABELS - 8,
                        y + 4,
                        escaped(figure.name()),
                        LABELS,
                        y - 7,
                        median,
                        from,
                        y,
                        to,
                        y,
                        Math.max(to, LABELS + median) + 6,
                        y + 4,
                        number.formatted(figure.median()),
                        escaped(figure.unit())));
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }
}
