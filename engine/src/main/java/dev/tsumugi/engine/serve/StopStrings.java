package dev.tsumugi.engine.serve;

import java.util.List;

/** Finds the first stop string in a text that comes in pieces, and holds back what might become one. */
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    boolean found() {
        return found;
    }

    /** @return what can be given out now */
    String accept(String piece) {
        if (found) {
            return "";
        }
        if (stops.isEmpty()) {
            return piece;
        }
        held.append(piece);
        int first = -1;
        for (String stop : stops) {
            int at = held.indexOf(stop);
            if (at >= 0 && (first < 0 || at < first)) {
                first = at;
            }
        }
        if (first >= 0) {
            found = true;
            return held.substring(0, first);
        }
        return give(held.length() - longestBeginning());
    }

    /** @return what was held back and became no stop string */
    String finish() {
        return found ? "" : give(held.length());
    }

    private String give(int length) {
        String out = held.substring(0, length);
        held.delete(0, length);
        return out;
    }

    /** Length of the longest end of the held text with which a stop string begins. */
    private int longestBeginning() {
        int longest = 0;
        for (String stop : stops) {
            for (int length = Math.min(stop.length() - 1, held.length()); length > longest; length--) {
                if (stop.startsWith(held.substring(held.length() - length))) {
                    longest = length;
                }
            }
        }
        return longest;
    }
}
