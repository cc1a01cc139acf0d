package dev.tsumugi.generator.openai;

import dev.tsumugi.engine.constrain.Constraint;
import dev.tsumugi.engine.sample.SamplingSettings;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.ChatTemplateException;
import dev.tsumugi.generator.model.ServedModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import tools.jackson.databind.JsonNode;

/**
 * A checked request: what to generate, one generation for each choice of the answer.
 *
 * @param promptTokens of all prompts together
 * @param echoes what the text of each choice begins with before anything is generated
 */
record CompletionRequest(
        List<GenerationRequest> generations,
        List<String> echoes,
        int promptTokens,
        boolean stream,
        boolean includeUsage,
        boolean logprobs) {
    /** What both calls know: of the OpenAI API, and the common extensions. */
    private static final Set<String> FIELDS = Set.of(
            "model",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "logprobs",
            "max_tokens",
            "n",
            "seed",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "repetition_penalty",
            "guided_regex");

    private static final Set<String> CHAT_FIELDS = Set.of(
            "messages",
            "top_logprobs",
            "max_completion_tokens",
            "response_format",
            "tools",
            "functions",
            "tool_choice",
            "function_call",
            "audio",
            "modalities",
            "web_search_options",
            "reasoning_effort",
            "verbosity",
            "store");

    private static final Set<String> TEXT_FIELDS = Set.of("prompt", "echo", "suffix", "best_of");

    /** Say nothing about the answer: whose it is, how it is billed, or how to get it sooner. */
    private static final Set<String> IGNORED = Set.of(
            "user",
            "metadata",
            "service_tier",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "prediction",
            "parallel_tool_calls");

    private static final List<String> UNSUPPORTED = List.of(
            "tools",
            "functions",
            "function_call",
            "audio",
            "web_search_options",
            "reasoning_effort",
            "verbosity",
            "store");

    private static final int MAX_CHOICES = 4;
    private static final int MAX_PROMPTS = 16;
    private static final int MAX_MESSAGES = 1000;
    private static final int MAX_TOP_LOGPROBS = 20;
    private static final int MAX_TEXT_LOGPROBS = 5;
    private static final int TEXT_DEFAULT_TOKENS = 16;

    /** Reads the body of {@code /chat/completions}. */
    static CompletionRequest chat(JsonNode json, ServedModel served, Duration timeout, String tenant) {
        RequestBodyReader body = new RequestBodyReader(json);
        requireModel(body, served);
        body.checkFields(FIELDS, CHAT_FIELDS, IGNORED);
        for (String field : UNSUPPORTED) {
            body.refuse(field, field + " is not supported by this server; leave it out.");
        }
        JsonNode choice = body.node("tool_choice");
        if (choice != null && !"none".equals(choice.asString(""))) {
            body.refuse("tool_choice", "tool_choice needs tools, which are not supported by this server.");
        }
        JsonNode modalities = body.node("modalities");
        if (modalities != null
                && !(modalities.size() == 1 && "text".equals(modalities.path(0).asString("")))) {
            body.refuse("modalities", "This server answers in text only; leave modalities out.");
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
        if (body.node("max_tokens") != null && body.node("max_completion_tokens") != null) {
            throw OpenAiException.invalid(
                    "max_tokens", "max_tokens and max_completion_tokens mean the same; give one of them.");
        }
        int most = body.integer(
                body.node("max_completion_tokens") == null ? "max_tokens" : "max_completion_tokens",
                Integer.MAX_VALUE,
                1,
                Integer.MAX_VALUE);
        return of(body, served, timeout, tenant, List.of(prompt), false, most, logprobs ? top : -1);
    }

    /** Reads the body of {@code /completions}. */
    static CompletionRequest text(JsonNode json, ServedModel served, Duration timeout, String tenant) {
        RequestBodyReader body = new RequestBodyReader(json);
        requireModel(body, served);
        body.checkFields(FIELDS, TEXT_FIELDS, IGNORED);
        body.refuse("suffix", "suffix is not supported by this server; leave it out.");
        int logprobs = body.integer("logprobs", -1, 0, MAX_TEXT_LOGPROBS);
        boolean echo = body.flag("echo");
        if (echo && logprobs >= 0) {
            throw OpenAiException.invalid("echo", "echo with logprobs is not supported by this server; leave one out.");
        }
        int choices = body.integer("n", 1, 1, MAX_CHOICES);
        if (body.integer("best_of", choices, 1, MAX_CHOICES) != choices) {
            throw OpenAiException.invalid(
                    "best_of", "best_of other than n is not supported by this server; leave it out.");
        }
        int most = body.integer("max_tokens", TEXT_DEFAULT_TOKENS, 1, Integer.MAX_VALUE);
        return of(body, served, timeout, tenant, prompts(body, served), echo, most, logprobs);
    }

    private static CompletionRequest of(
            RequestBodyReader body,
            ServedModel served,
            Duration timeout,
            String tenant,
            List<int[]> prompts,
            boolean echo,
            int most,
            int logprobs) {
        int choices = body.integer("n", 1, 1, MAX_CHOICES);
        SamplingSettings sampling = body.sampling();
        List<String> stop = body.stop();
        Constraint constraint = AnswerFormat.read(body, served);
        List<String> echoes = new ArrayList<>();
        List<GenerationRequest> generations = new ArrayList<>();
        int promptTokens = 0;
        for (int[] prompt : prompts) {
            int room = roomBehind(prompt, served);
            promptTokens += prompt.length;
            for (int choice = 0; choice < choices; choice++) {
                echoes.add(echo ? served.model().tokenizer().decode(prompt, true) : "");
                generations.add(GenerationRequest.of(prompt, Math.min(most, room))
                        .withSampling(seeded(sampling, choice))
                        .withStop(stop)
                        .withLogprobs(logprobs)
                        .withConstraint(constraint)
                        .withTimeout(timeout)
                        .withTenant(tenant)
                        .withAdapter(served.adapterDigest()));
            }
        }
        return new CompletionRequest(
                generations, echoes, promptTokens, body.flag("stream"), body.includeUsage(), logprobs >= 0);
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
