package dev.tsumugi.engine.tokenizer;

import dev.tsumugi.engine.tokenizer.AddedTokens.AddedToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads {@code tokenizer.json}, the format of Hugging Face tokenizers: byte-level BPE, SentencePiece-style BPE with byte fallback, and
 * unigram. What a file asks for and this reader does not know is an error that names it, never left out silently.
 */
public final class TokenizerJson {
    private static final long LARGEST_FILE = 256L << 20;
    private static final int MOST_TOKENS = 4_000_000;
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final JsonNode root;
    private final Map<String, Integer> ids = new HashMap<>();
    private final List<AddedToken> added = new ArrayList<>();
    private final PreTokenizer preTokenizer;
    private boolean byteLevel;

    /**
     * @throws IOException when the file cannot be read
     * @throws IllegalArgumentException when it is no tokenizer.json, or needs a feature that is not supported
     */
    public static Tokenizer read(Path file) throws IOException {
        if (Files.size(file) > LARGEST_FILE) {
            throw new IllegalArgumentException(
                    file + " has " + Files.size(file) + " bytes; at most " + LARGEST_FILE + " are read");
        }
        try {
            return read(Files.readAllBytes(file));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    static Tokenizer read(byte[] json) {
        try {
            return new TokenizerJson(JSON.readTree(json)).build();
        } catch (JacksonException e) {
            throw new IllegalArgumentException("is no valid JSON: " + e.getOriginalMessage(), e);
        }
    }

    private TokenizerJson(JsonNode root) {
        this.root = root;
        if (!root.path("model").isObject()) {
            throw new IllegalArgumentException("has no \"model\"; is it a tokenizer.json?");
        }
        preTokenizer = preTokenizer(root.path("pre_tokenizer"));
    }

    private Tokenizer build() {
        JsonNode model = root.path("model");
        // Files written before the field existed are BPE.
        String type = model.path("type").asString("BPE");
        Normalizer normalizer = normalizer(root.path("normalizer"));
        SubwordModel subwords = switch (type) {
            case "BPE" -> bpe(model);
            case "Unigram" -> unigram(model);
            default -> throw unsupported("model", type);
        };
        readAdded(normalizer);
        return new Tokenizer(ids, added, normalizer, preTokenizer, subwords, pieces(), marker(true), marker(false));
    }

    private SubwordModel bpe(JsonNode model) {
        for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model.path(affix).asString("").isEmpty()) {
                throw unsupported(affix, model.path(affix).asString());
            }
        }
        for (Map.Entry<String, JsonNode> token : model.path("vocab").properties()) {
            ids.put(token.getKey(), id(token.getValue()));
        }
        List<String[]> pairs = new ArrayList<>();
        for (JsonNode merge : model.path("merges")) {
            pairs.add(mergePair(merge));
        }
        String unknown = model.path("unk_token").asString("");
        BpeModel.Symbols symbols = byteLevel
                ? BpeModel.Symbols.BYTES
                : model.path("byte_fallback").asBoolean(false)
                        ? BpeModel.Symbols.CHARACTERS_OR_BYTES
                        : BpeModel.Symbols.CHARACTERS;
        Map<String, Integer> vocabulary = Map.copyOf(ids);
        return new BpeModel(
                vocabulary,
                BpeModel.Merges.ofPairs(pairs, vocabulary),
                symbols,
                model.path("ignore_merges").asBoolean(false),
                vocabulary.getOrDefault(unknown, -1),
                model.path("fuse_unk").asBoolean(false));
    }

    /** Newer files write a pair as an array, older ones as two words with a blank between. */
    static String[] mergePair(JsonNode merge) {
        if (merge.isArray() && merge.size() == 2) {
            return new String[] {merge.get(0).asString(), merge.get(1).asString()};
        }
        return mergePair(merge.asString(""));
    }

    static String[] mergePair(String merge) {
        int blank = merge.indexOf(' ', 1);
        if (blank < 0 || blank == merge.length() - 1) {
            throw new IllegalArgumentException("\"" + merge + "\" is no merge of two tokens");
        }
        return new String[] {merge.substring(0, blank), merge.substring(blank + 1)};
    }

    private SubwordModel unigram(JsonNode model) {
        JsonNode vocab = model.path("vocab");
        List<String> tokens = new ArrayList<>(vocab.size());
        double[] scores = new double[vocab.size()];
        for (JsonNode entry : vocab) {
            if (!entry.isArray() || entry.size() != 2) {
                throw new IllegalArgumentException("vocabulary entry " + tokens.size() + " is no [token, score]");
            }
            scores[tokens.size()] = entry.get(1).asDouble();
            ids.put(entry.get(0).asString(), tokens.size());
            tokens.add(entry.get(0).asString());
        }
        return new UnigramModel(
                tokens,
                scores,
                model.path("unk_id").asInt(-1),
                model.path("byte_fallback").asBoolean(false));
    }

    private void readAdded(Normalizer normalizer) {
        for (JsonNode token : root.path("added_tokens")) {
            boolean normalized = token.path("normalized").asBoolean(false);
            String text = token.path("content").asString("");
            int id = id(token.path("id"));
            ids.put(text, id);
            added.add(new AddedToken(
                    id,
                    normalized ? normalizer.normalize(text) : text,
                    token.path("special").asBoolean(false),
                    normalized,
                    token.path("lstrip").asBoolean(false),
                    token.path("rstrip").asBoolean(false),
                    token.path("single_word").asBoolean(false)));
        }
    }

    private static int id(JsonNode node) {
        int id = node.asInt(-1);
        if (id < 0 || id >= MOST_TOKENS) {
            throw new IllegalArgumentException("token id " + node + " is not between 0 and " + (MOST_TOKENS - 1));
        }
        return id;
    }

    private Pieces pieces() {
        Decoding decoding = new Decoding(root.path("decoder"));
        int size = ids.values().stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
        byte[][] bytes = new byte[size][];
        Arrays.fill(bytes, new byte[0]);
        ids.forEach((token, id) -> bytes[id] = decoding.bytes(token));
        BitSet special = new BitSet();
        for (JsonNode token : root.path("added_tokens")) {
            bytes[id(token.path("id"))] = Utf8.bytes(token.path("content").asString(""));
        }
        for (AddedToken token : added) {
            special.set(token.id(), token.special());
        }
        return new Pieces(bytes, special, decoding.dropsLeadingSpace);
    }

    /** How tokens become bytes again. */
    private static final class Decoding {
        private boolean byteLevel;
        private boolean byteTokens;
        private boolean dropsLeadingSpace;
        private String space = "";

        Decoding(JsonNode decoder) {
            read(decoder);
        }

        private void read(JsonNode decoder) {
            String type = decoder.path("type").asString("");
            switch (type) {
                case "" -> {}
                case "Sequence" -> decoder.path("decoders").forEach(this::read);
                case "ByteLevel" -> byteLevel = true;
                case "ByteFallback" -> byteTokens = true;
                case "Fuse" -> {}
                case "Metaspace" -> {
                    space = decoder.path("replacement").asString("▁");
                    dropsLeadingSpace =
                            !decoder.path("prepend_scheme").asString("always").equals("never")
                                    && decoder.path("add_prefix_space").asBoolean(true);
                }
                case "Replace" -> {
                    String pattern = decoder.path("pattern").path("String").asString("");
                    if (pattern.isEmpty()
                            || !decoder.path("content").asString("").equals(" ")) {
                        throw unsupported("decoder", decoder.toString());
                    }
                    space = pattern;
                }
                case "Strip" -> {
                    int start = decoder.path("start").asInt(0);
                    if (start > 1
                            || decoder.path("stop").asInt(0) != 0
                            || !decoder.path("content").asString("").equals(" ")) {
                        throw unsupported("decoder", decoder.toString());
                    }
                    dropsLeadingSpace = start == 1;
                }
                default -> throw unsupported("decoder", type);
            }
        }

        byte[] bytes(String token) {
            if (byteLevel) {
                return ByteAlphabet.read(token);
            }
            int b = byteTokens ? ByteToken.read(token) : -1;
            if (b >= 0) {
                return new byte[] {(byte) b};
            }
            return Utf8.bytes(space.isEmpty() ? token : token.replace(space, " "));
        }
    }

    private PreTokenizer preTokenizer(JsonNode node) {
        String type = node.path("type").asString("");
        switch (type) {
            case "" -> {
                return PreTokenizer.NONE;
            }
            case "Sequence" -> {
                List<PreTokenizer> steps = new ArrayList<>();
                node.path("pretokenizers").forEach(step -> steps.add(preTokenizer(step)));
                return new PreTokenizer.Sequence(steps);
            }
            case "ByteLevel" -> {
                byteLevel = true;
                List<PreTokenizer> steps = new ArrayList<>();
                if (node.path("add_prefix_space").asBoolean(true)) {
                    steps.add(new PreTokenizer.LeadingSpace());
                }
                if (node.path("use_regex").asBoolean(true)) {
                    steps.add(new PreTokenizer.Isolated(SplitPatterns.GPT2));
                }
                return new PreTokenizer.Sequence(steps);
            }
            case "Digits" -> {
                boolean single = node.path("individual_digits").asBoolean(false);
                return new PreTokenizer.Isolated(single ? SplitPatterns.SINGLE_DIGITS : SplitPatterns.DIGIT_RUNS);
            }
            case "Split" -> {
                if (!node.path("behavior").asString("").equals("Isolated")
                        || node.path("invert").asBoolean(false)) {
                    throw unsupported("pre_tokenizer", node.toString());
                }
                return new PreTokenizer.Isolated(pattern(node.path("pattern")));
            }
            case "Metaspace" -> {
                String scheme = node.path("prepend_scheme")
                        .asString(node.path("add_prefix_space").asBoolean(true) ? "always" : "never");
                return new PreTokenizer.Metaspace(
                        node.path("replacement").asString("▁"),
                        switch (scheme) {
                            case "always" -> PreTokenizer.Metaspace.Prefix.ALWAYS;
                            case "first" -> PreTokenizer.Metaspace.Prefix.FIRST;
                            case "never" -> PreTokenizer.Metaspace.Prefix.NEVER;
                            default -> throw unsupported("prepend_scheme", scheme);
                        },
                        node.path("split").asBoolean(true));
            }
            default -> throw unsupported("pre_tokenizer", type);
        }
    }

    private static Normalizer normalizer(JsonNode node) {
        String type = node.path("type").asString("");
        return switch (type) {
            case "" -> Normalizer.NONE;
            case "Sequence" -> {
                List<Normalizer> steps = new ArrayList<>();
                node.path("normalizers").forEach(step -> steps.add(normalizer(step)));
                yield new Normalizer.Sequence(steps);
            }
            case "NFC", "NFD", "NFKC", "NFKD" -> new Normalizer.Unicode(Form.valueOf(type));
            case "Prepend" -> new Normalizer.Prepend(node.path("prepend").asString(""));
            case "Replace" ->
                new Normalizer.Replace(
                        pattern(node.path("pattern")), node.path("content").asString(""));
            case "Strip" ->
                new Normalizer.Strip(
                        node.path("strip_left").asBoolean(true),
                        node.path("strip_right").asBoolean(true));
            case "Lowercase" -> new Normalizer.Lowercase();
            case "Precompiled" -> {
                byte[] map = Base64.getDecoder()
                        .decode(node.path("precompiled_charsmap").asString(""));
                // An empty table is the identity, which SentencePiece's "identity" rule writes.
                yield map.length == 0 ? Normalizer.NONE : new Normalizer.Mapped(new CharacterMap(map));
            }
            default -> throw unsupported("normalizer", type);
        };
    }

    private static Pattern pattern(JsonNode node) {
        if (node.has("String")) {
            return Pattern.compile(Pattern.quote(node.path("String").asString()));
        }
        return SplitPatterns.compile(node.path("Regex").asString(""));
    }

    /** Ids that the post-processor puts before, or behind, a single text. */
    private int[] marker(boolean before) {
        IntList out = new IntList(2);
        marker(root.path("post_processor"), before, out);
        return out.toArray();
    }

    private static void marker(JsonNode processor, boolean before, IntList out) {
        String type = processor.path("type").asString("");
        switch (type) {
            case "", "ByteLevel" -> {}
            case "Sequence" -> processor.path("processors").forEach(p -> marker(p, before, out));
            case "TemplateProcessing" -> {
                boolean seen = false;
                for (JsonNode part : processor.path("single")) {
                    if (part.has("Sequence")) {
                        seen = true;
                    } else if (seen != before) {
                        String name = part.path("SpecialToken").path("id").asString("");
                        processor.path("special_tokens").path(name).path("ids").forEach(id -> out.add(id(id)));
                    }
                }
            }
            default -> throw unsupported("post_processor", type);
        }
    }

    private static IllegalArgumentException unsupported(String part, String value) {
        return new IllegalArgumentException(part + " \"" + value + "\" is not supported");
    }
}
