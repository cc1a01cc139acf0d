package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.Set;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.select.NodeFilter;
import org.jspecify.annotations.Nullable;

/** Reads decoded HTML: what a browser would show, without navigation. Nothing is fetched, no script runs. */
final class HtmlReader {
    private static final Set<String> SKIPPED = Set.of(
            "head",
            "script",
            "style",
            "noscript",
            "template",
            "svg",
            "nav",
            "iframe",
            "object",
            "select",
            "button",
            "canvas");
    private static final String TYPE = "text/html";

    private HtmlReader() {}

    static ParsedDocument read(String html, int maxCharacters) {
        Document page = Jsoup.parse(html);
        DocumentTextBuilder document = new DocumentTextBuilder(maxCharacters);
        Visitor visitor = new Visitor(document);
        page.body().filter(visitor);
        visitor.close();
        String title = page.title().strip();
        return document.build(title.isEmpty() ? firstHeading(page) : title, TYPE);
    }

    private static @Nullable String firstHeading(Document page) {
        Element heading = page.selectFirst("h1");
        return heading == null || heading.text().isBlank()
                ? null
                : heading.text().strip();
    }

    private static final class Visitor implements NodeFilter {
        private final DocumentTextBuilder document;
        private final BlockText block = new BlockText();
        private Kind kind = Kind.PARAGRAPH;
        private int level;
        private int rows;
        private int preformatted;

        Visitor(DocumentTextBuilder document) {
            this.document = document;
        }

        @Override
        public FilterResult head(Node node, int depth) {
            if (node instanceof TextNode text) {
                if (preformatted > 0) {
                    text.getWholeText().lines().forEach(line -> {
                        if (block.length() > 0) {
                            block.lineBreak();
                        }
                        block.append(line);
                    });
                } else {
                    block.append(text.getWholeText());
                }
            } else if (node instanceof Element element) {
                String name = element.normalName();
                if (SKIPPED.contains(name) || element.hasAttr("hidden")) {
                    return FilterResult.SKIP_ENTIRELY;
                }
                open(element, name);
            }
            return FilterResult.CONTINUE;
        }

        @Override
        public FilterResult tail(Node node, int depth) {
            if (node instanceof Element element) {
                String name = element.normalName();
                if (rows > 0) {
                    if (name.equals("td") || name.equals("th")) {
                        block.append(" | ");
                    } else if (name.equals("tr")) {
                        rows--;
                        close();
                    }
                } else if (element.isBlock()) {
                    close();
                }
                if (name.equals("pre")) {
                    preformatted--;
                }
            }
            return FilterResult.CONTINUE;
        }

        private void open(Element element, String name) {
            if (name.equals("pre")) {
                preformatted++;
            }
            if (rows > 0 && !name.equals("tr")) {
                if (element.isBlock() || name.equals("br")) {
                    block.space();
                }
                return;
            }
            if (name.equals("br")) {
                block.lineBreak();
            } else if (element.isBlock()) {
                close();
                if (name.matches("h[1-6]")) {
                    kind = Kind.HEADING;
                    level = name.charAt(1) - '0';
                } else if (name.equals("li")) {
                    kind = Kind.LIST_ITEM;
                } else if (name.equals("pre")) {
                    kind = Kind.CODE;
                } else if (name.equals("tr")) {
                    rows++;
                    kind = Kind.TABLE_ROW;
                }
            }
        }

        void close() {
            String text = block.take();
            if (kind == Kind.TABLE_ROW) {
                text = CleanText.row(text);
            }
            document.add(kind, level, 0, text);
            kind = Kind.PARAGRAPH;
            level = 0;
        }
    }
}
