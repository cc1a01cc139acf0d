package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A light pass over Markdown (the block structure of CommonMark, as far as passages need it): headings, fenced and indented-in-list code,
 * list items, table rows, paragraphs. The text stays as it is, markup included.
 */
final class MarkdownReader {
    /** Longer lines are no headings, items or fences: patterns are not tried on them. */
    private static final int MAX_MARKUP_LINE = 2000;

    private static final Pattern ATX = Pattern.compile("^ {0,3}(#{1,6})(?:[ \\t]+(.*?))??(?:[ \\t]+#+)?[ \\t]*$");
    private static final Pattern SETEXT = Pattern.compile("^ {0,3}(=+|-+)[ \\t]*$");
    private static final Pattern FENCE = Pattern.compile("^ {0,3}(`{3,}|~{3,})(.*)$");
    private static final Pattern ITEM = Pattern.compile("^\\s*(?:[-*+]|\\d{1,9}[.)])\\s+\\S.*$");
    private static final Pattern ROW = Pattern.compile("^ {0,3}\\|.*$");
    private static final Pattern FRONT_TITLE = Pattern.compile("^title:\\s*[\"']?(.*?)[\"']?\\s*$");

    private final String text;
    private final List<DocumentBlock> blocks = new ArrayList<>();
    private Kind kind = Kind.PARAGRAPH;
    private int start = -1;
    private int end;
    private @Nullable String title;

    private MarkdownReader(String text) {
        this.text = text;
    }

    static ParsedDocument read(String text) {
        MarkdownReader reader = new MarkdownReader(text);
        reader.read();
        return new ParsedDocument(text, reader.title, "text/markdown", reader.blocks);
    }

    private void read() {
        Lines lines = new Lines(text);
        boolean first = true;
        while (lines.next()) {
            String line = lines.end() - lines.start() <= MAX_MARKUP_LINE ? lines.line() : "text";
            Matcher fence = FENCE.matcher(line);
            Matcher heading = ATX.matcher(line);
            if (first && line.strip().equals("---")) {
                frontMatter(lines);
            } else if (lines.isBlank()) {
                close();
            } else if (fence.matches()) {
                close();
                fenced(lines, fence.group(1));
            } else if (heading.matches()) {
                close();
                String label = heading.group(2) == null ? "" : plain(heading.group(2));
                addHeading(heading.group(1).length(), lines.contentStart(), lines.contentEnd(), label);
            } else if (start >= 0
                    && kind == Kind.PARAGRAPH
                    && SETEXT.matcher(line).matches()) {
                String label = plain(text.substring(start, end));
                addHeading(line.strip().startsWith("=") ? 1 : 2, start, lines.contentEnd(), label);
                start = -1;
            } else {
                extend(lines, line);
            }
            first = false;
        }
        close();
    }

    private void extend(Lines lines, String line) {
        if (ITEM.matcher(line).matches()) {
            close();
            kind = Kind.LIST_ITEM;
        } else if (ROW.matcher(line).matches()) {
            close();
            kind = Kind.TABLE_ROW;
        } else if (kind == Kind.TABLE_ROW) {
            close();
        }
        if (start < 0) {
            start = lines.contentStart();
        }
        end = lines.contentEnd();
    }

    /** YAML between two lines of three hyphens; without the second it is not front matter but a rule. */
    private void frontMatter(Lines lines) {
        int close = text.indexOf("\n---", lines.end());
        if (close < 0) {
            return;
        }
        int from = lines.start();
        while (lines.next()) {
            Matcher named = FRONT_TITLE.matcher(lines.line());
            if (named.matches() && !named.group(1).isBlank()) {
                title = named.group(1).strip();
            }
            if (lines.start() > close) {
                break;
            }
        }
        blocks.add(new DocumentBlock(Kind.CODE, 0, from, lines.contentEnd(), 0, ""));
    }

    private void fenced(Lines lines, String opening) {
        int from = lines.contentStart();
        int to = lines.contentEnd();
        while (lines.next()) {
            if (!lines.isBlank()) {
                to = lines.contentEnd();
            }
            String line = lines.line().strip();
            if (line.length() >= opening.length()
                    && line.startsWith(opening)
                    && line.chars().allMatch(c -> c == opening.charAt(0))) {
                break;
            }
        }
        blocks.add(new DocumentBlock(Kind.CODE, 0, from, to, 0, ""));
    }

    private void addHeading(int level, int from, int to, String label) {
        blocks.add(new DocumentBlock(Kind.HEADING, level, from, to, 0, label));
        if (title == null && level == 1 && !label.isEmpty()) {
            title = label;
        }
    }

    private void close() {
        if (start >= 0) {
            blocks.add(new DocumentBlock(kind, 0, start, end, 0, ""));
            start = -1;
        }
        kind = Kind.PARAGRAPH;
    }

    /** A heading without its inline markup. */
    private static String plain(String markdown) {
        return markdown.replaceAll("!?\\[([^\\]]*)\\]\\([^)]*\\)", "$1")
                .replaceAll("[*`]|(?<!\\w)_+|_+(?!\\w)", "")
                .replaceAll("\\s+", " ")
                .strip();
    }
}
