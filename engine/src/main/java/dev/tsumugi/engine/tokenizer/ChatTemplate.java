package dev.tsumugi.engine.tokenizer;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.OutputTooBigException;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.io.FileNotFoundException;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model's own chat template: turns a conversation into the text that the model was trained on. Jinja with the settings of Hugging Face
 * transformers ({@code trim_blocks}, {@code lstrip_blocks}) and its functions {@code raise_exception}, {@code strftime_now} and {@code tojson}.
 *
 * <p>A template comes with a model and a conversation from outside, so both are bounded: no file, class or reflection is in reach, sizes and
 * depths are limited, and nothing in a message is evaluated. Safe for use by many threads.
 */
public final class ChatTemplate {
    private static final int LONGEST_TEMPLATE = 256 * 1024;
    private static final long LONGEST_TEXT = 16L << 20;
    private static final int MOST_STEPS = 1_000_000;
    private static final ThreadLocal<int[]> STEPS = ThreadLocal.withInitial(() -> new int[1]);
    private static final Jinjava JINJAVA = jinjava();

    private final String template;
    private final String bosToken;
    private final String eosToken;

    /**
     * @param bosToken what the template calls {@code bos_token}; empty where the model has none
     * @param eosToken likewise
     * @throws ChatTemplateException when the template is too long
     */
    public ChatTemplate(String template, String bosToken, String eosToken) {
        if (template.length() > LONGEST_TEMPLATE) {
            throw new ChatTemplateException(
                    "the chat template has " + template.length() + " characters; at most " + LONGEST_TEMPLATE, null);
        }
        this.template = PythonMethods.asFunctions(template);
        this.bosToken = bosToken;
        this.eosToken = eosToken;
    }

    /**
     * The text of a conversation, for {@link Tokenizer#encode}.
     *
     * @param addGenerationPrompt ends with the words after which the assistant speaks
     * @throws ChatTemplateException when the template refuses the conversation (roles that do not alternate, say) or fails
     */
    public String render(List<ChatMessage> messages, boolean addGenerationPrompt) {
        List<Map<String, Object>> turns = new ArrayList<>(messages.size());
        for (ChatMessage message : messages) {
            Map<String, Object> turn = new LinkedHashMap<>();
            turn.put("role", message.role());
            turn.put("content", message.content());
            turns.add(turn);
        }
        Map<String, Object> variables = new HashMap<>();
        variables.put("messages", turns);
        variables.put("add_generation_prompt", addGenerationPrompt);
        variables.put("bos_token", bosToken);
        variables.put("eos_token", eosToken);
        RenderResult result;
        STEPS.get()[0] = 0;
        try {
            result = JINJAVA.renderForResult(template, variables);
        } catch (RuntimeException e) {
            throw new ChatTemplateException("the chat template failed: " + e.getMessage(), e);
        }
        for (TemplateError error : result.getErrors()) {
            for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
                if (cause instanceof Refusal refusal) {
                    throw new ChatTemplateException(
                            "the model's chat template refuses this conversation: " + refusal.getMessage(), null);
                }
            }
            throw new ChatTemplateException(
                    "the chat template failed in line " + error.getLineno() + ": " + error.getMessage(),
                    error.getException());
        }
        return result.getOutput();
    }

    private static Jinjava jinjava() {
        Jinjava jinjava = new Jinjava(JinjavaConfig.newBuilder()
                .withTrimBlocks(true)
                .withLstripBlocks(true)
                .withLocale(Locale.ROOT)
                .withNestedInterpretationEnabled(false)
                .withMaxOutputSize(LONGEST_TEXT)
                .withMaxStringLength(LONGEST_TEXT)
                .withMaxRenderDepth(16)
                .withMaxMacroRecursionDepth(16)
                .withRangeLimit(10_000)
                .withNodePreProcessor((node, interpreter) -> countStep())
                .withDisabled(Map.of(
                        Library.TAG, Set.of("include", "import", "from", "extends", "do", "cycle"),
                        Library.FUNCTION, Set.of("today", "type"),
                        Library.FILTER, Set.of("render", "fromyaml", "toyaml", "log")))
                .withLegacyOverrides(LegacyOverrides.newBuilder()
                        .withEvaluateMapKeys(true)
                        .withIterateOverMapKeys(true)
                        .withUseNaturalOperatorPrecedence(true)
                        .withParseWhitespaceControlStrictly(true)
                        .withAllowAdjacentTextNodes(true)
                        .withUseTrimmingForNotesAndExpressions(true)
                        .withKeepNullableLoopValues(true)
                        .build())
                .build());
        jinjava.setResourceLocator((name, encoding, interpreter) -> {
            throw new FileNotFoundException("a chat template cannot load " + name);
        });
        jinjava.getGlobalContext()
                .registerFunction(
                        new ELFunctionDefinition("", "raise_exception", ChatTemplate.class, "refuse", String.class));
        jinjava.getGlobalContext()
                .registerFunction(
                        new ELFunctionDefinition("", "strftime_now", ChatTemplate.class, "now", String.class));
        jinjava.getGlobalContext().registerFilter(new ToJson());
        PythonMethods.functions().forEach(jinjava.getGlobalContext()::registerFunction);
        return jinjava;
    }

    /** A loop without output is bounded by nothing else. */
    private static void countStep() {
        if (++STEPS.get()[0] > MOST_STEPS) {
            throw new OutputTooBigException(MOST_STEPS, STEPS.get()[0]);
        }
    }

    /** {@code raise_exception(message)} of a template. Public because Jinjava calls it by reflection. */
    public static String refuse(String message) {
        throw new Refusal(message);
    }

    /** {@code strftime_now(format)} of a template, for dates. Public because Jinjava calls it by reflection. */
    public static String now(String format) {
        StringBuilder date = new StringBuilder();
        LocalDate today = LocalDate.now();
        for (int i = 0; i < format.length(); i++) {
            if (format.charAt(i) != '%' || i + 1 == format.length()) {
                date.append(format.charAt(i));
                continue;
            }
            char field = format.charAt(++i);
            String pattern = switch (field) {
                case 'd' -> "dd";
                case 'm' -> "MM";
                case 'Y' -> "yyyy";
                case 'y' -> "yy";
                case 'b' -> "MMM";
                case 'B' -> "MMMM";
                case 'A' -> "EEEE";
                case 'a' -> "EEE";
                case 'j' -> "DDD";
                default -> throw new Refusal("strftime_now does not know %" + field);
            };
            date.append(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(today));
        }
        return date.toString();
    }

    /** What a template threw on purpose. */
    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1;

        Refusal(String message) {
            super(message);
        }
    }

    /** JSON with the blanks that Python puts behind commas and colons. */
    private static final class ToJson implements Filter {
        private static final JsonMapper JSON = JsonMapper.builder().build();

        @Override
        public String getName() {
            return "tojson";
        }

        @Override
        public Object filter(@Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
            StringBuilder json = new StringBuilder();
            write(value, json);
            return json.toString();
        }

        private static void write(@Nullable Object value, StringBuilder json) {
            switch (value) {
                case Map<?, ?> map -> {
                    json.append('{');
                    Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
                    while (entries.hasNext()) {
                        Map.Entry<?, ?> entry = entries.next();
                        json.append(JSON.writeValueAsString(String.valueOf(entry.getKey())))
                                .append(": ");
                        write(entry.getValue(), json);
                        json.append(entries.hasNext() ? ", " : "");
                    }
                    json.append('}');
                }
                case Collection<?> list -> {
                    json.append('[');
                    Iterator<?> elements = list.iterator();
                    while (elements.hasNext()) {
                        write(elements.next(), json);
                        json.append(elements.hasNext() ? ", " : "");
                    }
                    json.append(']');
                }
                case null, default -> json.append(JSON.writeValueAsString(value));
            }
        }
    }
}
