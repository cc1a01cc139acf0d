package dev.tsumugi.ingest.parse;

/** The content is of a kind that holds no text, or none that is read here. */
public class UnsupportedDocumentTypeException extends UnparsableDocumentException {
    public UnsupportedDocumentTypeException(String contentType) {
        super("The content is " + contentType
                + ", which is not read. Send PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV or plain text.");
    }
}
