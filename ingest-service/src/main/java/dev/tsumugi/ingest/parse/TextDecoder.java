package dev.tsumugi.ingest.parse;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.apache.tika.parser.txt.CharsetDetector;
import org.apache.tika.parser.txt.CharsetMatch;
import org.jspecify.annotations.Nullable;

/**
 * Finds the encoding of a text and decodes it: byte order mark, then the declared encoding if the bytes agree with it, then ISO-2022-JP
 * by its escapes, UTF-8 by its strictness, Shift_JIS and EUC-JP by whether Japanese comes out, UTF-16 by its regularity, and at last
 * the letter statistics of ICU.
 */
final class TextDecoder {
    private static final Charset WINDOWS_31J = Charset.forName("windows-31j");
    private static final Charset EUC_JP = Charset.forName("EUC-JP");
    private static final Charset ISO_2022_JP = Charset.forName("ISO-2022-JP");
    private static final Charset UTF_32 = Charset.forName("UTF-32");
    /** These decode any bytes, so that they decode says nothing. */
    private static final Set<String> SINGLE_BYTE = Set.of("ISO-8859-1", "windows-1252", "US-ASCII");

    private static final int SAMPLE = 64 * 1024;
    private static final double MAX_CONTROL_SHARE = 0.02;
    private static final double MIN_JAPANESE_SHARE = 0.6;

    private TextDecoder() {}

    /** @return the text, or empty when the bytes are no text in any encoding known here */
    static Optional<String> decode(byte[] bytes, @Nullable String declaredCharset) {
        Optional<String> marked = byByteOrderMark(bytes);
        if (marked.isPresent()) {
            return marked;
        }
        return byDeclaration(bytes, declaredCharset)
                .or(() -> byEscapes(bytes))
                .or(() -> utf8(bytes))
                .or(() -> japanese(bytes))
                .or(() -> utf16(bytes))
                .or(() -> byStatistics(bytes));
    }

    private static Optional<String> byByteOrderMark(byte[] b) {
        if (startsWith(b, 0xEF, 0xBB, 0xBF)) {
            return Optional.of(new String(b, 3, b.length - 3, StandardCharsets.UTF_8));
        }
        if (startsWith(b, 0xFF, 0xFE, 0, 0) || startsWith(b, 0, 0, 0xFE, 0xFF)) {
            return strict(b, UTF_32);
        }
        if (startsWith(b, 0xFE, 0xFF) || startsWith(b, 0xFF, 0xFE)) {
            return Optional.of(new String(b, StandardCharsets.UTF_16)).filter(TextDecoder::looksLikeText);
        }
        return Optional.empty();
    }

    private static Optional<String> byDeclaration(byte[] bytes, @Nullable String name) {
        Optional<Charset> declared = charset(name);
        if (declared.isEmpty() || SINGLE_BYTE.contains(declared.get().name())) {
            // Servers and editors declare Latin-1 for want of knowledge: it counts only if nothing stricter fits.
            return Optional.empty();
        }
        return strict(bytes, declared.get()).filter(TextDecoder::looksLikeText);
    }

    private static Optional<Charset> charset(@Nullable String name) {
        if (name == null) {
            return Optional.empty();
        }
        String lower = name.strip().toLowerCase(Locale.ROOT);
        if (Set.of("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j", "cp932", "ms932")
                .contains(lower)) {
            // What is called Shift_JIS holds the characters of windows-31j in practice: ①, ㈱, 髙.
            return Optional.of(WINDOWS_31J);
        }
        try {
            return Optional.of(Charset.forName(lower));
        } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
            return Optional.empty();
        }
    }

    private static Optional<String> byEscapes(byte[] b) {
        boolean escape = false;
        for (int i = 0; i < b.length; i++) {
            if (b[i] < 0) {
                return Optional.empty();
            }
            if (b[i] == 0x1B && i + 2 < b.length && b[i + 1] == '$' && (b[i + 2] == 'B' || b[i + 2] == '@')) {
                escape = true;
            }
        }
        return escape ? strict(b, ISO_2022_JP) : Optional.empty();
    }

    private static Optional<String> utf8(byte[] bytes) {
        return strict(bytes, StandardCharsets.UTF_8).filter(TextDecoder::looksLikeText);
    }

    private static Optional<String> japanese(byte[] bytes) {
        @Nullable String best = null;
        double bestShare = MIN_JAPANESE_SHARE;
        for (Charset charset : List.of(EUC_JP, WINDOWS_31J)) {
            Optional<String> text = strict(bytes, charset);
            if (text.isPresent() && looksLikeText(text.get())) {
                double share = japaneseShare(text.get());
                if (share > bestShare) {
                    best = text.get();
                    bestShare = share;
                }
            }
        }
        return Optional.ofNullable(best);
    }

    /**
     * Share of the characters beyond ASCII that stand beside another Japanese character, as Japanese does and European letters that were
     * misread as Japanese do not. Half-width katakana count against: misread EUC-JP is full of them.
     */
    private static double japaneseShare(String text) {
        int beyond = 0;
        double good = 0;
        int n = Math.min(text.length(), SAMPLE);
        for (int i = 0; i < n; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                continue;
            }
            beyond++;
            boolean neighbour = i > 0 && isJapanese(text.charAt(i - 1)) || i + 1 < n && isJapanese(text.charAt(i + 1));
            if (isKana(c) || c >= 0x3000 && c <= 0x303F || c >= 0xFF01 && c <= 0xFF5E) {
                good += 1;
            } else if (isJapanese(c) && neighbour) {
                good += 0.9;
            } else if (c >= 0xFF61 && c <= 0xFF9F) {
                good += neighbour ? 0.3 : 0;
            }
        }
        return beyond == 0 ? 0 : good / beyond;
    }

    private static boolean isKana(char c) {
        return c >= 0x3041 && c <= 0x30FF;
    }

    private static boolean isJapanese(char c) {
        return isKana(c) || c >= 0x4E00 && c <= 0x9FFF || c >= 0x3000 && c <= 0x303F || c >= 0xFF01 && c <= 0xFF9F;
    }

    /** Without a mark: most characters of any text in UTF-16 share a few high bytes, among them zero for spaces and line ends. */
    private static Optional<String> utf16(byte[] bytes) {
        if (bytes.length % 2 != 0 || bytes.length < 4) {
            return Optional.empty();
        }
        Optional<String> little = strict(bytes, StandardCharsets.UTF_16LE).filter(TextDecoder::looksLikeUtf16);
        Optional<String> big = strict(bytes, StandardCharsets.UTF_16BE).filter(TextDecoder::looksLikeUtf16);
        return little.isPresent() == big.isPresent() ? Optional.empty() : little.or(() -> big);
    }

    private static boolean looksLikeUtf16(String text) {
        int n = Math.min(text.length(), SAMPLE);
        int usual = 0;
        for (int i = 0; i < n; i++) {
            char c = text.charAt(i);
            if (c >= 0x20 && c < 0x7F || c == '\n' || c == '\r' || c == '\t' || isKana(c) || c == '。' || c == '、') {
                usual++;
            }
        }
        return usual >= 0.35 * n && looksLikeText(text);
    }

    private static Optional<String> byStatistics(byte[] bytes) {
        CharsetDetector detector = new CharsetDetector();
        detector.setText(bytes.length <= SAMPLE ? bytes : java.util.Arrays.copyOf(bytes, SAMPLE));
        CharsetMatch match = detector.detect();
        if (match == null) {
            return Optional.empty();
        }
        return charset(match.getName())
                .map(found -> SINGLE_BYTE.contains(found.name()) ? Charset.forName("windows-1252") : found)
                .map(found -> new String(bytes, found))
                .filter(TextDecoder::looksLikeText)
                .filter(TextDecoder::isMostlyReadable);
    }

    private static Optional<String> strict(byte[] bytes, Charset charset) {
        try {
            CharBuffer text = charset.newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes));
            return Optional.of(text.toString());
        } catch (CharacterCodingException e) {
            return Optional.empty();
        }
    }

    /** Binary content decodes to control characters, private use and unassigned code points; text has hardly any. */
    private static boolean looksLikeText(String text) {
        int n = Math.min(text.length(), SAMPLE);
        int strange = 0;
        for (int i = 0; i < n; i++) {
            char c = text.charAt(i);
            if (Character.isISOControl(c) && !Character.isWhitespace(c) && c != '\u0085' && c != '\u001B'
                    || c == '\uFFFD'
                    || Character.getType(c) == Character.PRIVATE_USE
                    || Character.getType(c) == Character.UNASSIGNED) {
                strange++;
            }
        }
        return strange <= n * MAX_CONTROL_SHARE;
    }

    /** Letters, digits and blanks outweigh signs in a text; in junk that a single-byte encoding accepts they do not. */
    private static boolean isMostlyReadable(String text) {
        int n = Math.min(text.length(), SAMPLE);
        int readable = 0;
        for (int i = 0; i < n; i++) {
            char c = text.charAt(i);
            if (c < 0x80 ? Character.isLetterOrDigit(c) || Character.isWhitespace(c) : Character.isLetter(c)) {
                readable++;
            }
        }
        return readable >= 0.7 * n;
    }

    private static boolean startsWith(byte[] b, int... prefix) {
        if (b.length < prefix.length) {
            return false;
        }
        for (int i = 0; i < prefix.length; i++) {
            if ((b[i] & 0xFF) != prefix[i]) {
                return false;
            }
        }
        return true;
    }
}
