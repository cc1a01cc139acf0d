package dev.tsumugi.embed.model;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Texts to token ids with the model's own {@code tokenizer.json}; safe for use by many threads. */
final class TextTokenizer implements AutoCloseable {
    /**
     * Longest piece of a text that is looked at, in UTF-16 units for each token the model takes. Words of real text have fewer
     * characters, and tokenizing megabytes to throw them away would let one text stop the service.
     */
    private static final int MAX_CHARACTERS_PER_TOKEN = 32;

    private final HuggingFaceTokenizer tokenizer;
    private final int maxCharacters;

    /**
     * @param nativeCache where the tokenizer's native library is unpacked
     * @throws IllegalArgumentException when the file is no tokenizer
     */
    TextTokenizer(Path tokenizerJson, Path nativeCache, int maxTokens) {
        confineLibrary(nativeCache);
        try {
            tokenizer = HuggingFaceTokenizer.newInstance(
                    tokenizerJson,
                    Map.of("padding", "false", "truncation", "true", "maxLength", Integer.toString(maxTokens)));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read tokenizer " + tokenizerJson, e);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException(
                    "cannot load tokenizer " + tokenizerJson + ": " + e.getMessage()
                            + "; it must be a tokenizer.json of the Hugging Face tokenizers library",
                    e);
        }
        maxCharacters = Math.multiplyExact(maxTokens, MAX_CHARACTERS_PER_TOKEN);
    }

    List<TokenizedText> tokenize(List<String> texts) {
        String[] inputs = new String[texts.size()];
        boolean[] cut = new boolean[inputs.length];
        for (int i = 0; i < inputs.length; i++) {
            String text = texts.get(i);
            cut[i] = text.length() > maxCharacters;
            inputs[i] = wellFormed(cut[i] ? text.substring(0, maxCharacters) : text);
        }
        Encoding[] encodings = tokenizer.batchEncode(inputs);
        List<TokenizedText> tokenized = new ArrayList<>(inputs.length);
        for (int i = 0; i < inputs.length; i++) {
            tokenized.add(new TokenizedText(encodings[i].getIds(), cut[i] || encodings[i].exceedMaxLength()));
        }
        return tokenized;
    }

    @Override
    public void close() {
        tokenizer.close();
    }

    /** A lone surrogate has no UTF-8 form and NUL ends a C string; both become the replacement character. */
    private static String wellFormed(String text) {
        StringBuilder copy = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (c == 0 || Character.isSurrogate(c)) {
                copy = copy == null ? new StringBuilder(text) : copy;
                copy.setCharAt(i, '\uFFFD');
            }
        }
        return copy == null ? text : copy.toString();
    }

    /** The tokenizers library otherwise writes to the home directory, and may report its use or download a GPU build. */
    private static void confineLibrary(Path nativeCache) {
        System.setProperty("DJL_CACHE_DIR", nativeCache.toString());
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("RUST_FLAVOR", "cpu");
    }
}
