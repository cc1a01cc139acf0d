package dev.tsumugi.generator.openai;

import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.ChatTemplateException;
import dev.tsumugi.generator.model.ServedModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import tools.jackson.databind.JsonNode;

/**
 * A checked request: what to generate, one generation for each choice of the answer.
 *
 * @param promptTokens of all prompts together
 */
record CompletionRequest(
        List<GenerationRequest> generations, int promptTokens, boolean stream, boolean includeUsage, boolean logprobs) {
    private static final int MAX_CHOICES = 4;
    private static final int MAX_PROMPTS = 16;
    private static final int MAX_MESSAGES = 1000;
    private static final int MAX_TOP_LOGPROBS = 20;
    private static final int MAX_TEXT_LOGPROBS = 5;
    private static final int TEXT_DEFAULT_TOKENS = 16;

    /** Reads the body of {@code /chat/completions}. */
    static CompletionRequest chat(JsonNode json, ServedModel served, Duration timeout) {
        RequestBodyReader body = new RequestBodyReader(json);
        requireModel(body, served);
        body.refuse("tools", "tools are not supported by this server; leave them out.");
        body.refuse("functions", "functions are not supported by this server; leave them out.");
        JsonNode format = body.node("response_format");
        if (format != null && !"text".equals(format.path("type").asString(""))) {
            throw new OpenAiException(
                    HttpStatus.BAD_REQUEST,
                    "This server answers in text only; leave response_format out.",
                    "response_format",
                    "unsupported_parameter");
        }
        int[] prompt;
        try {
            prompt = served.model().chatPrompt(messages(body));
        } catch (ChatTemplateException e) {
            throw OpenAiException.invalid("messages", "The model's chat template refuses them: " + e.getMessage());
        }
        boolean logprobs = body.flag("logprobs");
        int top = body.integer("top_logprobs", 0, 0, MAX_TOP_LOGPROBS);
        if (top > 0 && !logprobs) {
            throw OpenAiException.invalid("top_logprobs", "top_logprobs needs logprobs to be true.");
        }
        int most = body.integer(
                body.node("max_completion_tokens") == null ? "max_tokens" : "max_completion_tokens",
                Integer.MAX_VALUE,
                1,
                Integer.MAX_VALUE);
        return of(body, served, timeout, List.of(prompt), most, logprobs ? top : -1);
    }

    /** Reads the body of {@code /completions}. */
    static CompletionRequest text(JsonNode json, ServedModel served, Duration timeout) {
        RequestBodyReader body = new RequestBodyReader(json);
        requireModel(body, served);
        body.refuse("echo", "echo is not supported by this server; leave it out.");
        body.refuse("suffix", "suffix is not supported by this server; leave it out.");
        int logprobs = body.integer("logprobs", -1, 0, MAX_TEXT_LOGPROBS);
        int most = body.integer("max_tokens", TEXT_DEFAULT_TOKENS, 1, Integer.MAX_VALUE);
        return of(body, served, timeout, prompts(body, served), most, logprobs);
    }

    private static CompletionRequest of(
            RequestBodyReader body, ServedModel served, Duration timeout, List<int[]> prompts, int most, int logprobs) {
        int choices = body.integer("n", 1, 1, MAX_CHOICES);
        SamplingSettings sampling = body.sampling();
        List<String> stop = body.stop();
        List<GenerationRequest> generations = new ArrayList<>();
        int promptTokens = 0;
        for (int[] prompt : prompts) {
            int room = roomBehind(prompt, served);
            promptTokens += prompt.length;
            for (int choice = 0; choice < choices; choice++) {
                generations.add(GenerationRequest.of(prompt, Math.min(most, room))
                        .withSampling(seeded(sampling, choice))
                        .withStop(stop)
                        .withLogprobs(logprobs)
                        .withTimeout(timeout));
            }
        }
        return new CompletionRequest(
                generations, promptTokens, body.flag("stream"), body.includeUsage(), logprobs >= 0);
    }

    /** With one seed for all, the choices would be equal. */
    private static SamplingSettings seeded(SamplingSettings sampling, int choice) {
        OptionalLong seed = sampling.seed();
        return seed.isPresent() && choice > 0 ? sampling.withSeed(seed.getAsLong() + choice) : sampling;
    }

    private static int roomBehind(int[] prompt, ServedModel served) {
        int context = served.engine().limits().contextLength();
        if (prompt.length >= context) {
            throw new OpenAiException(
                    HttpStatus.BAD_REQUEST,
                    "This model's maximum context length is " + context + " tokens, but the prompt has " + prompt.length
                            + ". Shorten it.",
                    "messages",
                    "context_length_exceeded");
        }
        return context - prompt.length;
    }

    private static void requireModel(RequestBodyReader body, ServedModel served) {
        String name = body.text("model");
        if (name != null && !name.equals(served.name())) {
            throw new OpenAiException(
                    HttpStatus.NOT_FOUND,
                    "The model '" + name + "' does not exist here; this server has '" + served.name() + "'.",
                    "model",
                    "model_not_found");
        }
    }

    private static List<ChatMessage> messages(RequestBodyReader body) {
        JsonNode list = body.node("messages");
        if (list == null || !list.isArray() || list.isEmpty() || list.size() > MAX_MESSAGES) {
            throw OpenAiException.invalid("messages", "messages must be a list of 1 to " + MAX_MESSAGES + " messages.");
        }
        List<ChatMessage> messages = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            JsonNode message = list.get(i);
            String at = "messages[" + i + "]";
            String role = message.path("role").asString("");
            if (!List.of("system", "developer", "user", "assistant").contains(role)) {
                throw OpenAiException.invalid(at + ".role", "role must be system, developer, user or assistant.");
            }
            messages.add(new ChatMessage(
                    role.equals("developer") ? "system" : role, content(message.path("content"), at + ".content")));
        }
        return messages;
    }

    private static String content(JsonNode content, String at) {
        if (content.isString()) {
            return content.stringValue();
        }
        if (!content.isArray()) {
            throw OpenAiException.invalid(at, "content must be a string, or a list of parts of the type text.");
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : content) {
            if (!"text".equals(part.path("type").asString(""))
                    || !part.path("text").isString()) {
                throw OpenAiException.invalid(at, "This server reads parts of the type text only.");
            }
            text.append(part.path("text").stringValue());
        }
        return text.toString();
    }

    private static List<int[]> prompts(RequestBodyReader body, ServedModel served) {
        JsonNode prompt = body.node("prompt");
        if (prompt == null) {
            throw OpenAiException.invalid("prompt", "prompt is missing.");
        }
        boolean one = prompt.isString() || isTokens(prompt);
        List<int[]> prompts = new ArrayList<>();
        for (JsonNode element : one ? List.of(prompt) : prompt) {
            int[] tokens = element.isString()
                    ? served.model().tokenizer().encodeWithMarkers(element.stringValue())
                    : tokens(element, served);
            if (tokens.length == 0) {
                throw OpenAiException.invalid("prompt", "prompt is empty.");
            }
            prompts.add(tokens);
        }
        if (prompts.isEmpty() || prompts.size() > MAX_PROMPTS) {
            throw OpenAiException.invalid("prompt", "prompt must hold 1 to " + MAX_PROMPTS + " prompts.");
        }
        return prompts;
    }

    private static boolean isTokens(@Nullable JsonNode node) {
        return node != null && node.isArray() && !node.isEmpty() && node.get(0).isIntegralNumber();
    }

    private static int[] tokens(JsonNode node, ServedModel served) {
        if (!isTokens(node)) {
            throw OpenAiException.invalid("prompt", "prompt must be a string, a list of strings, or token ids.");
        }
        int vocabulary = served.model().config().vocabularySize();
        int[] tokens = new int[node.size()];
        for (int i = 0; i < tokens.length; i++) {
            JsonNode id = node.get(i);
            if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0 || id.intValue() >= vocabulary) {
                throw OpenAiException.invalid("prompt", "Token ids are 0 to " + (vocabulary - 1) + " with this model.");
            }
            tokens[i] = id.intValue();
        }
        return tokens;
    }
}
