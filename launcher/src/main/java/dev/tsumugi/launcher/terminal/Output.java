package dev.tsumugi.launcher.terminal;

import java.io.PrintStream;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a command prints: text for people, or one JSON object a line for scripts; never both. On a terminal, progress is one line that
 * overwrites itself; elsewhere it is left out, and steps are plain lines.
 */
public final class Output {
    private static final JsonMapper JSON = JsonMapper.builder()
            .changeDefaultPropertyInclusion(inclusion ->
                    inclusion.withValueInclusion(com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL))
            .build();
    private static final int BAR_CELLS = 24;
    private static final String ERASE_LINE = "\r\u001b[2K";

    private final PrintStream out;
    private final boolean json;
    private final boolean terminal;
    private boolean progressShown;
    private boolean lineOpen;

    /** @param terminal true where lines can be overwritten */
    public Output(PrintStream out, boolean json, boolean terminal) {
        this.out = out;
        this.json = json;
        this.terminal = terminal && !json;
    }

    /** Standard output of this process. */
    public static Output standard(boolean json) {
        var console = System.console();
        Output output = new Output(
                System.out, json, console != null && console.isTerminal() && !"dumb".equals(System.getenv("TERM")));
        // Ctrl-C may come in the middle of an answer; the shell's next prompt is to have a line of its own.
        Runtime.getRuntime().addShutdownHook(new Thread(output::endLine, "line-end"));
        return output;
    }

    public boolean isJson() {
        return json;
    }

    /** A line for people. */
    public synchronized void say(String line) {
        if (!json) {
            clearProgress();
            out.println(line);
            lineOpen = false;
        }
    }

    /** A piece of text for people, without a line end; shown at once. */
    public synchronized void piece(String text) {
        if (!json) {
            clearProgress();
            out.print(text);
            out.flush();
            lineOpen |= !text.isEmpty();
        }
    }

    /** Ends a line that was begun, if one was. */
    synchronized void endLine() {
        clearProgress();
        if (lineOpen) {
            out.println();
            lineOpen = false;
        }
        out.flush();
    }

    /** An object for scripts: a record or a map. */
    public synchronized void object(Object value) {
        if (json) {
            out.println(JSON.writeValueAsString(value));
        }
    }

    /** An object for scripts with one property. */
    public void object(String name, Object value) {
        object(Map.of(name, value));
    }

    /** How far something has come, for people at a terminal. */
    public synchronized void progress(String what, long done, long total, String figures) {
        if (terminal) {
            int full = total <= 0 ? 0 : (int) Math.min(BAR_CELLS, BAR_CELLS * done / total);
            String bar = "#".repeat(full) + ".".repeat(BAR_CELLS - full);
            out.print(ERASE_LINE + what + "  [" + bar + "]  " + figures);
            out.flush();
            progressShown = true;
        }
    }

    private void clearProgress() {
        if (progressShown) {
            out.print(ERASE_LINE);
            progressShown = false;
        }
    }
}
