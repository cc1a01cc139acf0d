package dev.tsumugi.engine.files;

import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.ChatTemplate;
import dev.tsumugi.engine.tokenizer.ChatTemplateException;
import dev.tsumugi.engine.tokenizer.GgufVocabulary;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import dev.tsumugi.engine.tokenizer.TokenizerJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a model's files say of text: tokenizer, chat template, and which tokens end an answer.
 *
 * @param chatTemplate null where the files bring none: roles and contents are then written plainly
 */
public record ModelText(Tokenizer tokenizer, @Nullable ChatTemplate chatTemplate, Set<Integer> endTokens) {
    private static final ChatTemplate PLAIN = new ChatTemplate(
            "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}\n\n{% endfor %}"
                    + "{% if add_generation_prompt %}Assistant:{% endif %}",
            "", "");

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final long LARGEST_CONFIGURATION = 16L << 20;

    /** By these names models end a turn, whether or not their configuration says so. */
    private static final List<String> END_NAMES = List.of(
            "<|im_end|>",
            "<|eot_id|>",
            "<|eom_id|>",
            "<|end|>",
            "<|endoftext|>",
            "<|end_of_text|>",
            "<end_of_turn>",
            "</s>");

    /**
     * The prompt after which the model gives the next answer of a conversation. Special tokens in the messages are made harmless, so that a
     * question or a quoted document cannot end its turn.
     *
     * @throws ChatTemplateException when the template refuses the conversation
     */
    public int[] chatPrompt(List<ChatMessage> messages) {
        return chatTemplate == null
                ? tokenizer.encodeWithMarkers(PLAIN.render(harmless(messages), true))
                : tokenizer.encode(chatTemplate.render(harmless(messages), true));
    }

    /**
     * What the model is to say after {@link #chatPrompt}: the answer and the token that ends it.
     *
     * @throws ChatTemplateException when the template writes an answer so that it does not continue the prompt, or does not end
     */
    public int[] chatAnswer(List<ChatMessage> messages, String answer) {
        List<ChatMessage> before = harmless(messages);
        String said = tokenizer.withoutSpecialTokens(answer);
        if (chatTemplate == null) {
            return ended(tokenizer.encodePlain(" " + said));
        }
        List<ChatMessage> all = new ArrayList<>(before);
        all.add(new ChatMessage("assistant", said));
        String prompt = chatTemplate.render(before, true);
        String whole = chatTemplate.render(all, false);
        if (!whole.startsWith(prompt)) {
            throw new ChatTemplateException(
                    "the chat template writes an answer differently from the prompt before it, so that no answer can be"
                            + " learned; use a template whose generation prompt begins the assistant's turn",
                    null);
        }
        int[] rest = tokenizer.encode(whole.substring(prompt.length()));
        for (int i = 0; i < rest.length; i++) {
            if (endTokens.contains(rest[i])) {
                return Arrays.copyOf(rest, i + 1);
            }
        }
        return ended(rest);
    }

    private int[] ended(int[] tokens) {
        int end = endTokens.stream()
                .min(Integer::compare)
                .orElseThrow(
                        () -> new ChatTemplateException("the model's files name no token that ends an answer", null));
        int[] ended = Arrays.copyOf(tokens, tokens.length + 1);
        ended[tokens.length] = end;
        return ended;
    }

    private List<ChatMessage> harmless(List<ChatMessage> messages) {
        return messages.stream()
                .map(m -> new ChatMessage(
                        tokenizer.withoutSpecialTokens(m.role()), tokenizer.withoutSpecialTokens(m.content())))
                .toList();
    }

    /** @throws ModelFileException when a file is missing, unsound or of a kind that is not supported */
    public static ModelText read(Path path, ModelFiles files) {
        return files instanceof GgufModelFiles gguf
                ? ofGguf(path, gguf.file().metadata().asMap())
                : ofFolder(path);
    }

    static ModelText ofGguf(Path path, Map<String, Object> metadata) {
        Tokenizer tokenizer;
        try {
            tokenizer = GgufVocabulary.read(metadata);
        } catch (IllegalArgumentException e) {
            throw new ModelFileException(
                    path,
                    "its vocabulary cannot be used: " + e.getMessage(),
                    "Use a GGUF file with a supported tokenizer",
                    e);
        }
        Set<Integer> ends = namedEnds(tokenizer);
        for (String key : List.of("eos_token_id", "eot_token_id", "eom_token_id")) {
            if (metadata.get("tokenizer.ggml." + key) instanceof Number id) {
                ends.add(id.intValue());
            }
        }
        ChatTemplate template = metadata.get("tokenizer.chat_template") instanceof String text
                ? new ChatTemplate(
                        text, token(metadata, tokenizer, "bos_token_id"), token(metadata, tokenizer, "eos_token_id"))
                : null;
        return new ModelText(tokenizer, template, Set.copyOf(ends));
    }

    private static String token(Map<String, Object> metadata, Tokenizer tokenizer, String key) {
        return metadata.get("tokenizer.ggml." + key) instanceof Number id
                ? tokenizer.decode(new int[] {id.intValue()}, false)
                : "";
    }

    static ModelText ofFolder(Path folder) {
        Path file = folder.resolve("tokenizer.json");
        Tokenizer tokenizer;
        try {
            tokenizer = TokenizerJson.read(file);
        } catch (IOException | IllegalArgumentException e) {
            throw new ModelFileException(
                    file,
                    "cannot be used: " + e.getMessage(),
                    "The folder needs a tokenizer.json of a supported kind",
                    e);
        }
        JsonNode tokenizerConfig = json(folder.resolve("tokenizer_config.json"));
        Set<Integer> ends = namedEnds(tokenizer);
        addIds(json(folder.resolve("generation_config.json")).path("eos_token_id"), ends);
        addIds(json(folder.resolve("config.json")).path("eos_token_id"), ends);
        String eos = tokenText(tokenizerConfig.path("eos_token"));
        tokenizer.idOf(eos).ifPresent(ends::add);
        String template = template(folder, tokenizerConfig.path("chat_template"));
        return new ModelText(
                tokenizer,
                template == null ? null : new ChatTemplate(template, tokenText(tokenizerConfig.path("bos_token")), eos),
                Set.copyOf(ends));
    }

    private static Set<Integer> namedEnds(Tokenizer tokenizer) {
        Set<Integer> ends = new HashSet<>();
        for (String name : END_NAMES) {
            OptionalInt id = tokenizer.idOf(name);
            if (id.isPresent() && tokenizer.isSpecial(id.getAsInt())) {
                ends.add(id.getAsInt());
            }
        }
        return ends;
    }

    private static void addIds(JsonNode ids, Set<Integer> out) {
        if (ids.isInt()) {
            out.add(ids.asInt());
        }
        ids.forEach(id -> addIds(id, out));
    }

    /** A token as text, or as an object with its properties. */
    private static String tokenText(JsonNode token) {
        return token.isObject() ? token.path("content").asString("") : token.asString("");
    }

    /** In the configuration as text, there as a list of named ones, or in a file of its own. */
    private static @Nullable String template(Path folder, JsonNode configured) {
        if (configured.isString()) {
            return configured.asString();
        }
        for (JsonNode named : configured) {
            if (named.path("name").asString("").equals("default")) {
                return named.path("template").asString("");
            }
        }
        Path file = folder.resolve("chat_template.jinja");
        return Files.exists(file) ? text(file) : null;
    }

    private static JsonNode json(Path file) {
        if (!Files.exists(file)) {
            return JSON.missingNode();
        }
        try {
            return JSON.readTree(text(file));
        } catch (JacksonException e) {
            throw new ModelFileException(
                    file, "is no valid JSON: " + e.getOriginalMessage(), "Fetch the file again", e);
        }
    }

    private static String text(Path file) {
        try {
            if (Files.size(file) > LARGEST_CONFIGURATION) {
                throw new ModelFileException(
                        file, "has " + Files.size(file) + " bytes", "At most " + LARGEST_CONFIGURATION + " are read");
            }
            return Files.readString(file);
        } catch (IOException e) {
            throw new ModelFileException(
                    file, "cannot be read: " + e.getMessage(), "Check its permissions and encoding", e);
        }
    }
}
