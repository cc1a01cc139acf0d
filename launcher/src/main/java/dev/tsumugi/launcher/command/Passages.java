package dev.tsumugi.launcher.command;

/** Passages of documents as they are shown in one line. */
final class Passages {
    private Passages() {}

    /** White space becomes single spaces; what is longer than {@code limit} UTF-16 units is cut between characters and marked. */
    static String oneLine(String text, int limit) {
        String line = text.strip().replaceAll("\\s+", " ");
        if (line.length() <= limit) {
            return line;
        }
        int end = Character.isHighSurrogate(line.charAt(limit - 1)) ? limit - 1 : limit;
        return line.substring(0, end) + " ...";
    }
}
