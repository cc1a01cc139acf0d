package dev.tsumugi.engine.adapter;

import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.files.ModelJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What {@code adapter_config.json} says of a LoRA adapter: which linear layers it changes, with which rank and scale. Everything that would
 * change the result in a way that the engine does not compute is refused. Source: PEFT's {@code LoraConfig} and how it matches names.
 */
final class PeftConfig {
    private static final long MAX_BYTES = 1 << 20;
    private static final int MAX_RANK = 1024;
    private static final int MAX_ENTRIES = 4096;

    /** Settings that say how the adapter was initialized, trained or stored, and nothing of what it computes. */
    private static final Set<String> WITHOUT_EFFECT = Set.of(
            "auto_mapping",
            "base_model_name_or_path",
            "corda_config",
            "ensure_weight_tying",
            "ephemeral_gpu_offload",
            "eva_config",
            "inference_mode",
            "loftq_config",
            "lora_dropout",
            "lora_ga_config",
            "megatron_core",
            "peft_version",
            "qalora_group_size",
            "revision",
            "runtime_config",
            "task_type");

    private static final Set<String> READ = Set.of(
            "alpha_pattern",
            "bias",
            "exclude_modules",
            "fan_in_fan_out",
            "init_lora_weights",
            "layers_pattern",
            "layers_to_transform",
            "lora_alpha",
            "lora_bias",
            "modules_to_save",
            "peft_type",
            "r",
            "rank_pattern",
            "target_modules",
            "use_dora",
            "use_rslora");

    /** Initializations that leave the base weights alone; others change them, so that the adapter fits no published base. */
    private static final Set<String> PLAIN_INITIALIZATIONS = Set.of("", "gaussian", "eva", "orthogonal");

    private static final Pattern ANY_LAYER = Pattern.compile(".*\\.[^.]*\\.(\\d+)\\..*");

    /** A pattern and the number that it sets. */
    private record Setting(BoundedPattern pattern, double value) {}

    private final Path file;
    private final byte[] bytes;
    private final JsonNode json;
    private final BoundedPattern.Steps steps = new BoundedPattern.Steps();
    private final int rank;
    private final double alpha;
    private final boolean rankStabilized;
    private final List<Setting> ranks;
    private final List<Setting> alphas;
    private final boolean allLinear;
    private final Predicate<String> target;
    private final Predicate<String> excluded;

    private PeftConfig(Path file, byte[] bytes) {
        this.file = file;
        this.bytes = bytes;
        this.json = ModelJson.object(file, bytes);
        refuseOthers();
        rank = (int) number("r", json.path("r"), 1, MAX_RANK);
        alpha = number("lora_alpha", json.path("lora_alpha"), -1e6, 1e6);
        rankStabilized = flag("use_rslora");
        ranks = settings("rank_pattern", 1, MAX_RANK);
        alphas = settings("alpha_pattern", -1e6, 1e6);
        JsonNode targets = json.path("target_modules");
        allLinear = targets.isString() && targets.asString().equals("all-linear");
        if (targets.isMissingNode() || targets.isNull()) {
            throw refused("has no target_modules", "Name the layers, or write all-linear");
        }
        Predicate<String> named = allLinear ? module -> true : names("target_modules", targets);
        target = targets.isString() && !allLinear ? named : inChosenLayers(targets, named);
        excluded = empty(json.path("exclude_modules"))
                ? module -> false
                : names("exclude_modules", json.path("exclude_modules"));
    }

    /** @throws ModelFileException when the file is missing or unsound, or asks for what the engine does not compute */
    static PeftConfig read(Path file) {
        return new PeftConfig(file, ModelJson.read(file, MAX_BYTES));
    }

    /** The file as it was read. */
    byte[] bytes() {
        return bytes;
    }

    private void refuseOthers() {
        String type = json.path("peft_type").asString("");
        if (!type.equals("LORA")) {
            throw refused(
                    "is of type '" + type + "'",
                    "The engine runs LoRA adapters; train one with PEFT's LoraConfig, or merge this one into its base");
        }
        if (flag("use_dora")) {
            throw refused(
                    "is a DoRA adapter (use_dora)",
                    "The engine runs plain and rank-stabilized LoRA; train with use_dora false, or merge it into its base");
        }
        String bias = json.path("bias").asString("none");
        if (!bias.equals("none") || flag("lora_bias")) {
            throw refused(
                    "trains biases (bias '" + bias + "', lora_bias " + flag("lora_bias") + ")",
                    "Train with bias none and lora_bias false, or merge the adapter into its base");
        }
        if (!empty(json.path("modules_to_save"))) {
            throw refused(
                    "replaces whole layers (modules_to_save " + json.path("modules_to_save") + ")",
                    "Train without modules_to_save, or merge the adapter into its base");
        }
        if (flag("fan_in_fan_out")) {
            throw refused(
                    "is for layers with transposed weights (fan_in_fan_out)", "Use an adapter of this base model");
        }
        String initialization = json.path("init_lora_weights").asString("");
        if (json.path("init_lora_weights").isString() && !PLAIN_INITIALIZATIONS.contains(initialization)) {
            throw refused(
                    "was initialized by '" + initialization + "', which may change the base weights too",
                    "Save it with path_initial_model_for_weight_conversion, which makes a plain LoRA adapter of it");
        }
        for (Map.Entry<String, JsonNode> entry : json.properties()) {
            String key = entry.getKey();
            JsonNode value = entry.getValue();
            if (!READ.contains(key) && !WITHOUT_EFFECT.contains(key) && !empty(value)) {
                throw refused(
                        "sets " + key + ", which the engine does not know",
                        "Train without it, or merge the adapter into its base");
            }
        }
    }

    /** Name of the model it was trained on, as far as the file says. */
    String baseModel() {
        return json.path("base_model_name_or_path").asString("");
    }

    /** The rank of the adapter of {@code module}. */
    int rank(String module) {
        return (int) setting(ranks, module, rank);
    }

    /** {@code alpha / rank}, or {@code alpha / sqrt(rank)} where the adapter is rank-stabilized (arXiv 2312.03732). */
    float scale(String module) {
        int own = rank(module);
        return (float) (setting(alphas, module, alpha) / (rankStabilized ? Math.sqrt(own) : own));
    }

    private static double setting(List<Setting> settings, String module, double otherwise) {
        for (Setting setting : settings) {
            if (setting.pattern.matches(module)) {
                return setting.value;
            }
        }
        return otherwise;
    }

    /** Whether {@code target_modules} and its companions choose this layer; {@code all-linear} leaves out the head. */
    boolean targets(String module, boolean head) {
        return !(allLinear && head) && !excluded.test(module) && target.test(module);
    }

    /** A regular expression for whole names, or a list of names or of their last parts. */
    private Predicate<String> names(String key, JsonNode node) {
        if (node.isString()) {
            return new BoundedPattern(file, steps, "", node.asString(), "")::matches;
        }
        List<String> names = strings(key, node);
        return module -> names.stream().anyMatch(name -> module.equals(name) || module.endsWith("." + name));
    }

    /** Only within the layers of {@code layers_to_transform}, unless a list names the module in full. */
    private Predicate<String> inChosenLayers(JsonNode targets, Predicate<String> named) {
        JsonNode chosen = json.path("layers_to_transform");
        if (empty(chosen)) {
            return named;
        }
        Set<Integer> layers = new HashSet<>();
        for (JsonNode layer : chosen.isArray() ? chosen : List.of(chosen)) {
            layers.add((int) number("layers_to_transform", layer, 0, 1 << 20));
        }
        JsonNode patterns = json.path("layers_pattern");
        List<String> names = empty(patterns)
                ? List.of()
                : patterns.isString() ? List.of(patterns.asString()) : strings("layers_pattern", patterns);
        List<BoundedPattern> containers = names.stream()
                .map(name -> new BoundedPattern(file, steps, ".*\\.", name, "\\.\\d+\\..*"))
                .toList();
        return module -> {
            if (!named.test(module)) {
                return false;
            }
            if (targets.isArray() && targets.valueStream().anyMatch(t -> module.equals(t.asString("")))) {
                return true;
            }
            Matcher layer = ANY_LAYER.matcher(module);
            return layer.matches()
                    && layers.contains(Integer.parseInt(layer.group(1)))
                    && (containers.isEmpty() || containers.stream().anyMatch(pattern -> pattern.matches(module)));
        };
    }

    private List<String> strings(String key, JsonNode node) {
        List<String> strings = new ArrayList<>();
        for (JsonNode element : node) {
            if (!element.isString()) {
                throw refused(key + " holds " + element + ", which is no name", "Use the file as PEFT wrote it");
            }
            strings.add(element.asString());
        }
        if (!node.isArray() || strings.size() > MAX_ENTRIES) {
            throw refused(key + " is no list of up to " + MAX_ENTRIES + " names", "Use the file as PEFT wrote it");
        }
        return List.copyOf(strings);
    }

    /** Numbers by regular expression for the end of a name; the first that matches counts. */
    private List<Setting> settings(String key, double least, double most) {
        JsonNode node = json.path(key);
        if (empty(node)) {
            return List.of();
        }
        if (!node.isObject() || node.size() > MAX_ENTRIES) {
            throw refused(key + " is no object of up to " + MAX_ENTRIES + " entries", "Use the file as PEFT wrote it");
        }
        Map<String, Double> values = new LinkedHashMap<>();
        node.properties().forEach(e -> values.put(e.getKey(), number(key, e.getValue(), least, most)));
        List<Setting> settings = new ArrayList<>();
        values.forEach((text, value) ->
                settings.add(new Setting(new BoundedPattern(file, steps, "(?:.*\\.)?(?:", text, ")"), value)));
        return List.copyOf(settings);
    }

    private double number(String key, JsonNode node, double least, double most) {
        double value = node.isNumber() ? node.doubleValue() : Double.NaN;
        boolean whole = value == Math.rint(value) || key.contains("alpha");
        if (!(value >= least && value <= most && whole)) {
            throw refused(
                    key + " is " + (node.isMissingNode() ? "missing" : node),
                    "It must be a number from " + plain(least) + " to " + plain(most));
        }
        return value;
    }

    private static String plain(double value) {
        return String.valueOf((long) value);
    }

    private boolean flag(String key) {
        JsonNode value = json.path(key);
        if (!value.isBoolean() && !empty(value)) {
            throw refused(key + " is " + value, "It must be true or false");
        }
        return value.asBoolean(false);
    }

    /** Whether a setting is off: missing, null, false, or without content. */
    private static boolean empty(@Nullable JsonNode node) {
        return node == null
                || node.isMissingNode()
                || node.isNull()
                || node.isBoolean() && !node.booleanValue()
                || node.isContainer() && node.isEmpty()
                || node.isString() && node.asString().isEmpty();
    }

    private ModelFileException refused(String problem, String advice) {
        return new ModelFileException(file, problem, advice);
    }
}
