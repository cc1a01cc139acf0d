package dev.tsumugi.engine.tokenizer;

import dev.tsumugi.engine.tokenizer.AddedTokens.AddedToken;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The tokenizer inside a GGUF file ({@code tokenizer.ggml.*} of its metadata): {@code gpt2} (byte-level BPE; {@code pre} names how text is
 * split) and {@code llama} (SentencePiece BPE, merges by score). Keys: the GGUF specification.
 */
public final class GgufVocabulary {
    private static final String KEYS = "tokenizer.ggml.";

    /** Values of {@code token_type}. */
    private static final int NORMAL = 1;

    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int BYTE = 6;

    private final Map<String, Object> metadata;
    private final List<String> tokens;
    private final int[] types;

    /**
     * @param metadata values by key: String, Number, Boolean, a List of these or an array of primitives
     * @throws IllegalArgumentException when the vocabulary is missing, contradicts itself, or is of a kind that is not supported
     */
    public static Tokenizer read(Map<String, Object> metadata) {
        GgufVocabulary vocabulary = new GgufVocabulary(metadata);
        String model = vocabulary.string("model", "");
        return switch (model) {
            case "gpt2" -> vocabulary.byteLevel();
            case "llama" -> vocabulary.sentencePiece();
            default ->
                throw new IllegalArgumentException(
                        KEYS + "model \"" + model + "\" is not supported; known are gpt2 and llama");
        };
    }

    private GgufVocabulary(Map<String, Object> metadata) {
        this.metadata = metadata;
        tokens = strings("tokens");
        if (tokens.isEmpty()) {
            throw new IllegalArgumentException(KEYS + "tokens is missing or empty");
        }
        List<? extends Number> given = numbers("token_type");
        types = new int[tokens.size()];
        if (!given.isEmpty() && given.size() != tokens.size()) {
            throw new IllegalArgumentException(
                    KEYS + "token_type has " + given.size() + " entries for " + tokens.size() + " tokens");
        }
        for (int id = 0; id < types.length; id++) {
            types[id] = given.isEmpty() ? NORMAL : given.get(id).intValue();
        }
    }

    private Tokenizer byteLevel() {
        String pre = string("pre", "default");
        Map<String, Integer> ids = ids();
        List<String[]> pairs = new ArrayList<>();
        for (String merge : strings("merges")) {
            pairs.add(TokenizerJson.mergePair(merge));
        }
        boolean llama3 = pre.equals("llama-bpe") || pre.equals("llama3") || pre.equals("llama-v3");
        BpeModel model =
                new BpeModel(ids, BpeModel.Merges.ofPairs(pairs, ids), BpeModel.Symbols.BYTES, llama3, -1, false);
        byte[][] bytes = new byte[tokens.size()][];
        for (int id = 0; id < bytes.length; id++) {
            bytes[id] = isAdded(id) ? Utf8.bytes(tokens.get(id)) : ByteAlphabet.read(tokens.get(id));
        }
        return new Tokenizer(
                ids,
                added(),
                pre.equals("qwen2") ? new Normalizer.Unicode(Form.NFC) : Normalizer.NONE,
                splitting(pre),
                model,
                new Pieces(bytes, special(), false),
                marker("bos", llama3),
                marker("eos", false));
    }

    private static PreTokenizer splitting(String pre) {
        return switch (pre) {
            case "default", "gpt-2", "gpt2", "olmo", "jais", "phi-2" -> new PreTokenizer.Isolated(SplitPatterns.GPT2);
            case "smollm" ->
                new PreTokenizer.Sequence(List.of(
                        new PreTokenizer.Isolated(SplitPatterns.SINGLE_DIGITS),
                        new PreTokenizer.Isolated(SplitPatterns.GPT2)));
            case "llama-bpe", "llama3", "llama-v3" -> new PreTokenizer.Isolated(SplitPatterns.LLAMA3);
            case "qwen2" -> new PreTokenizer.Isolated(SplitPatterns.QWEN2);
            default ->
                throw new IllegalArgumentException(KEYS + "pre \"" + pre
                        + "\" is not supported; known are default, gpt-2, smollm, llama-bpe, qwen2");
        };
    }

    private Tokenizer sentencePiece() {
        List<? extends Number> given = numbers("scores");
        if (given.size() != tokens.size()) {
            throw new IllegalArgumentException(
                    KEYS + "scores has " + given.size() + " entries for " + tokens.size() + " tokens");
        }
        float[] scores = new float[tokens.size()];
        Map<String, Integer> mergeable = new HashMap<>();
        Map<String, Integer> forModel = new HashMap<>();
        for (int id = 0; id < scores.length; id++) {
            scores[id] = given.get(id).floatValue();
            if (types[id] == NORMAL || types[id] == USER_DEFINED) {
                mergeable.putIfAbsent(tokens.get(id), id);
            }
            if (types[id] == NORMAL || types[id] == USER_DEFINED || types[id] == BYTE) {
                forModel.putIfAbsent(tokens.get(id), id);
            }
        }
        boolean leadingSpace = bool("add_space_prefix", true);
        List<Normalizer> steps = new ArrayList<>();
        if (leadingSpace) {
            steps.add(new Normalizer.Prepend("▁"));
        }
        steps.add(new Normalizer.Replace(Pattern.compile(" "), "▁"));
        BpeModel model = new BpeModel(
                forModel,
                BpeModel.Merges.ofScores(mergeable, scores),
                BpeModel.Symbols.CHARACTERS_OR_BYTES,
                false,
                number("unknown_token_id").orElse(0),
                true);
        byte[][] bytes = new byte[tokens.size()][];
        for (int id = 0; id < bytes.length; id++) {
            int b = types[id] == BYTE ? ByteToken.read(tokens.get(id)) : -1;
            String text = isAdded(id) ? tokens.get(id) : tokens.get(id).replace('▁', ' ');
            bytes[id] = b >= 0 ? new byte[] {(byte) b} : Utf8.bytes(text);
        }
        return new Tokenizer(
                ids(),
                added(),
                new Normalizer.Sequence(steps),
                PreTokenizer.NONE,
                model,
                new Pieces(bytes, special(), leadingSpace),
                marker("bos", true),
                marker("eos", false));
    }

    private Map<String, Integer> ids() {
        Map<String, Integer> ids = new HashMap<>(tokens.size() * 2);
        for (int id = 0; id < tokens.size(); id++) {
            ids.putIfAbsent(tokens.get(id), id);
        }
        return ids;
    }

    private boolean isAdded(int id) {
        return types[id] == CONTROL || types[id] == USER_DEFINED || types[id] == UNKNOWN;
    }

    private List<AddedToken> added() {
        List<AddedToken> added = new ArrayList<>();
        for (int id = 0; id < types.length; id++) {
            if (isAdded(id)) {
                added.add(new AddedToken(id, tokens.get(id), types[id] != USER_DEFINED, false, false, false, false));
            }
        }
        return added;
    }

    private BitSet special() {
        BitSet special = new BitSet();
        for (int id = 0; id < types.length; id++) {
            special.set(id, types[id] == CONTROL || types[id] == UNKNOWN);
        }
        return special;
    }

    /** The ids put around a text, where the file, or the habit of its kind, asks for it. */
    private int[] marker(String name, boolean byDefault) {
        OptionalInt id = number(name + "_token_id");
        boolean wanted = bool("add_" + name + "_token", byDefault);
        return wanted && id.isPresent() ? new int[] {id.getAsInt()} : new int[0];
    }

    private OptionalInt number(String key) {
        return metadata.get(KEYS + key) instanceof Number n ? OptionalInt.of(n.intValue()) : OptionalInt.empty();
    }

    private boolean bool(String key, boolean byDefault) {
        return metadata.get(KEYS + key) instanceof Boolean b ? b : byDefault;
    }

    private String string(String key, String byDefault) {
        return metadata.get(KEYS + key) instanceof String s ? s : byDefault;
    }

    private List<String> strings(String key) {
        @Nullable Object value = metadata.get(KEYS + key);
        if (value instanceof String[] array) {
            return List.of(array);
        }
        List<String> strings = new ArrayList<>();
        if (value instanceof List<?> list) {
            for (Object entry : list) {
                if (!(entry instanceof String s)) {
                    throw new IllegalArgumentException(KEYS + key + " holds something else than strings");
                }
                strings.add(s);
            }
        }
        return strings;
    }

    private List<? extends Number> numbers(String key) {
        @Nullable Object value = metadata.get(KEYS + key);
        List<Number> numbers = new ArrayList<>();
        switch (value) {
            case float[] array -> {
                for (float f : array) {
                    numbers.add(f);
                }
            }
            case long[] array -> {
                for (long i : array) {
                    numbers.add(i);
                }
            }
            case List<?> list -> {
                for (Object entry : list) {
                    if (!(entry instanceof Number n)) {
                        throw new IllegalArgumentException(KEYS + key + " holds something else than numbers");
                    }
                    numbers.add(n);
                }
            }
            case null -> {}
            default -> throw new IllegalArgumentException(KEYS + key + " is no list of numbers");
        }
        return numbers;
    }
}
