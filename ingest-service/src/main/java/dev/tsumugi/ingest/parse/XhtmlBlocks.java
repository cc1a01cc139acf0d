package dev.tsumugi.ingest.parse;

import dev.tsumugi.ingest.parse.DocumentBlock.Kind;
import java.util.Locale;
import java.util.Set;
import org.xml.sax.Attributes;
import org.xml.sax.SAXException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * Turns the XHTML events that Tika's parsers give into blocks. It also ends a parse: it throws as soon as the thread is interrupted or the
 * text grows too long, so a parser that still writes stops.
 *
 * <p>In a spreadsheet the first row of each sheet with more than one cell names the columns, and so heads the rows below it.
 */
final class XhtmlBlocks extends DefaultHandler {
    private static final Set<String> SKIPPED = Set.of("head", "script", "style");
    private static final Set<String> PARAGRAPHS = Set.of(
            "p",
            "div",
            "table",
            "ul",
            "ol",
            "blockquote",
            "section",
            "article",
            "body",
            "dl",
            "dt",
            "dd",
            "tbody",
            "thead");
    private static final String CELL_END = " | ";
    /** Below the name of the sheet. */
    private static final int COLUMN_NAMES = 6;

    private static final Set<String> PAGES = Set.of("page", "slide-content");

    private final DocumentTextBuilder document;
    private final int maxCharacters;
    private final DocumentType type;
    private final BlockText block = new BlockText();
    private Kind kind = Kind.PARAGRAPH;
    private int level;
    private int page;
    private int skipDepth;
    private int rowDepth;
    private boolean columnsNamed;

    XhtmlBlocks(DocumentTextBuilder document, int maxCharacters, DocumentType type) {
        this.type = type;
        this.document = document;
        this.maxCharacters = maxCharacters;
    }

    @Override
    public void startElement(String uri, String localName, String qName, Attributes attributes) throws SAXException {
        String name = localName.toLowerCase(Locale.ROOT);
        if (skipDepth > 0 || SKIPPED.contains(name)) {
            skipDepth++;
            return;
        }
        String style = attributes.getValue("class");
        if (style != null && PAGES.contains(style)) {
            page++;
            columnsNamed = false;
        }
        if (rowDepth > 0 && !name.equals("tr")) {
            // Paragraphs inside a cell are one cell.
            if (PARAGRAPHS.contains(name) || name.equals("br")) {
                block.space();
            }
            return;
        }
        if (name.length() == 2 && name.charAt(0) == 'h' && name.charAt(1) >= '1' && name.charAt(1) <= '6') {
            open(Kind.HEADING, name.charAt(1) - '0');
        } else if (name.equals("li")) {
            open(Kind.LIST_ITEM, 0);
        } else if (name.equals("tr")) {
            rowDepth++;
            open(Kind.TABLE_ROW, 0);
        } else if (name.equals("pre")) {
            open(Kind.CODE, 0);
        } else if (PARAGRAPHS.contains(name)) {
            open(Kind.PARAGRAPH, 0);
        } else if (name.equals("br")) {
            block.lineBreak();
        }
    }

    @Override
    public void endElement(String uri, String localName, String qName) {
        String name = localName.toLowerCase(Locale.ROOT);
        if (skipDepth > 0) {
            skipDepth--;
            return;
        }
        if (rowDepth > 0) {
            if (name.equals("td") || name.equals("th")) {
                block.append(CELL_END);
            } else if (name.equals("tr")) {
                rowDepth--;
                close();
            }
            return;
        }
        boolean heading = name.length() == 2 && name.charAt(0) == 'h' && Character.isDigit(name.charAt(1));
        if (heading || name.equals("li") || name.equals("pre") || PARAGRAPHS.contains(name)) {
            close();
        }
    }

    @Override
    public void characters(char[] ch, int start, int length) throws SAXException {
        if (Thread.interrupted()) {
            throw new SAXException("interrupted");
        }
        if (skipDepth == 0) {
            block.append(java.nio.CharBuffer.wrap(ch, start, length));
            if (block.length() > maxCharacters) {
                throw DocumentTextBuilder.tooLong(maxCharacters);
            }
        }
    }

    @Override
    public void ignorableWhitespace(char[] ch, int start, int length) throws SAXException {
        characters(ch, start, length);
    }

    @Override
    public void endDocument() {
        close();
    }

    private void open(Kind next, int nextLevel) {
        close();
        kind = next;
        level = nextLevel;
    }

    private void close() {
        String text = block.take();
        if (kind == Kind.TABLE_ROW) {
            text = CleanText.row(text);
            if (type == DocumentType.XLSX && !columnsNamed && text.contains(CELL_END)) {
                columnsNamed = true;
                kind = Kind.HEADING;
                level = COLUMN_NAMES;
            }
        }
        // A PDF has no paragraphs, so the parser may give a line for one.
        if (type == DocumentType.PDF && kind == Kind.PARAGRAPH) {
            document.addParagraphOfLines(page, text);
        } else {
            document.add(kind, level, page, text);
        }
        kind = Kind.PARAGRAPH;
        level = 0;
    }
}
