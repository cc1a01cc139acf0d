package dev.tsumugi.retriever.terms;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.Character.UnicodeScript;
import java.text.Normalizer;
import java.util.HashMap;
import java.util.Map;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.ja.JapaneseAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;

/**
 * Cuts texts into terms: words of Japanese script by morphology, in their base form (Lucene's kuromoji in search mode), all others by
 * Unicode word boundaries and with English stems. A text may mix both; each run of a script goes to its analyzer. Safe for use by many
 * threads.
 */
public final class TermAnalyzer implements AutoCloseable {
    /** Longer ones are no words; this also keeps index entries small. */
    private static final int MAX_TERM_LENGTH = 100;

    private final Analyzer english = new EnglishAnalyzer();
    private final Analyzer japanese = new JapaneseAnalyzer();

    public Terms analyze(String text) {
        String normalized = Normalizer.normalize(text, Normalizer.Form.NFKC);
        Map<String, Integer> frequencies = new HashMap<>();
        int length = 0;
        int start = 0;
        boolean inJapanese = false;
        boolean undecided = true;
        for (int i = 0; i < normalized.length(); ) {
            int c = normalized.codePointAt(i);
            UnicodeScript script = UnicodeScript.of(c);
            // Digits, punctuation and spaces belong to the run they stand in.
            if (script != UnicodeScript.COMMON && script != UnicodeScript.INHERITED) {
                boolean isJapanese = isJapanese(script);
                if (!undecided && isJapanese != inJapanese) {
                    length += count(normalized.substring(start, i), inJapanese, frequencies);
                    start = i;
                }
                inJapanese = isJapanese;
                undecided = false;
            }
            i += Character.charCount(c);
        }
        length += count(normalized.substring(start), inJapanese, frequencies);
        return new Terms(frequencies, length);
    }

    @Override
    public void close() {
        english.close();
        japanese.close();
    }

    private static boolean isJapanese(UnicodeScript script) {
        return script == UnicodeScript.HAN || script == UnicodeScript.HIRAGANA || script == UnicodeScript.KATAKANA;
    }

    private int count(String run, boolean inJapanese, Map<String, Integer> frequencies) {
        if (run.isBlank()) {
            return 0;
        }
        int length = 0;
        try (TokenStream tokens = (inJapanese ? japanese : english).tokenStream("text", run)) {
            CharTermAttribute term = tokens.addAttribute(CharTermAttribute.class);
            tokens.reset();
            while (tokens.incrementToken()) {
                if (term.length() > 0 && term.length() <= MAX_TERM_LENGTH) {
                    frequencies.merge(term.toString(), 1, Integer::sum);
                    length++;
                }
            }
            tokens.end();
        } catch (IOException e) {
            throw new UncheckedIOException("a string cannot fail to be read", e);
        }
        return length;
    }
}
