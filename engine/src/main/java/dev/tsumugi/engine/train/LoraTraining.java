package dev.tsumugi.engine.train;

import dev.tsumugi.engine.files.ModelStore;
import dev.tsumugi.engine.files.ModelText;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.ChatTemplateException;
import dev.tsumugi.engine.train.TrainingRefusedException.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Trains a LoRA adapter for one model. Opening it loads the model; {@link #run} trains, resumes where a checkpoint is, and leaves the best adapter
 * as a folder that PEFT and the engine read. One thread at a time uses it; the work is shared out over {@link TrainingResources#threads}.
 *
 * <p>Equal data, settings, machine and number of threads give equal losses to the last bit, however often the run was interrupted.
 */
public final class LoraTraining implements AutoCloseable {
    /** In the checkpoint folder: the adapter with the lowest validation loss. */
    public static final String BEST = "best";

    private final Path path;
    private final ModelFiles files;
    private final TrainingSettings settings;
    private final Backend backend;
    private final MemoryForecast forecast;
    private final LoraParameters parameters;
    private final Decoder decoder;
    private @Nullable ModelText text;

    private LoraTraining(
            Path path,
            ModelFiles files,
            TrainingSettings settings,
            Backend backend,
            DecoderShape shape,
            MemoryForecast forecast) {
        this.path = path;
        this.files = files;
        this.settings = settings;
        this.backend = backend;
        this.forecast = forecast;
        parameters = new LoraParameters(shape, settings, backend);
        decoder = new Decoder(
                files,
                shape,
                settings,
                parameters,
                backend,
                capacity(files.config(), settings),
                forecast.computesTwice());
        parameters.initialize();
    }

    /**
     * Opens a GGUF file or a model folder ({@link ModelStore#locate} turns names into one) and loads its weights.
     *
     * @throws TrainingRefusedException when the settings do not fit the model, or the forecast exceeds the memory that is allowed
     * @throws dev.tsumugi.engine.files.ModelFileException when files are missing, unsound or of a kind that is not supported
     * @throws IllegalStateException when the named backend cannot run here
     * @throws UnsupportedOperationException when it cannot train
     */
    public static LoraTraining open(Path model, TrainingSettings settings, TrainingResources resources) {
        return open(model, settings, resources, Precision.FAST);
    }

    static LoraTraining open(Path model, TrainingSettings settings, TrainingResources resources, Precision precision) {
        return open(
                model,
                settings,
                resources,
                Backends.openForTraining(resources.backend(), resources.threads(), precision));
    }

    /** @param backend closed with the training, and when it cannot be opened */
    static LoraTraining open(Path model, TrainingSettings settings, TrainingResources resources, Backend backend) {
        try {
            ModelFiles files = ModelStore.openPath(model);
            try {
                DecoderShape shape = new DecoderShape(files.config(), files.ropeLayout());
                MemoryForecast forecast = forecast(files, shape, settings, resources, backend);
                if (resources.memoryBytes() > 0) {
                    forecast.requireWithin(resources.memoryBytes());
                }
                LoraTraining training = new LoraTraining(model, files, settings, backend, shape, forecast);
                files.unload();
                return training;
            } catch (RuntimeException | Error e) {
                files.close();
                throw e;
            }
        } catch (RuntimeException | Error e) {
            backend.close();
            throw e;
        }
    }

    /**
     * What {@link #open} would take, without loading weights.
     *
     * @throws TrainingRefusedException when the settings do not fit the model
     */
    public static MemoryForecast forecast(Path model, TrainingSettings settings, TrainingResources resources) {
        try (Backend backend = Backends.openForTraining(resources.backend(), resources.threads(), Precision.FAST);
                ModelFiles files = ModelStore.openPath(model)) {
            DecoderShape shape = new DecoderShape(files.config(), files.ropeLayout());
            return forecast(files, shape, settings, resources, backend);
        }
    }

    private static MemoryForecast forecast(
            ModelFiles files,
            DecoderShape shape,
            TrainingSettings settings,
            TrainingResources resources,
            Backend backend) {
        shape.requireTargets(settings);
        MemoryEstimate estimate = new MemoryEstimate(files, shape, settings, backend);
        MemoryForecast once = estimate.forecast(false);
        return resources.memoryBytes() > 0 && once.total() > resources.memoryBytes() ? estimate.forecast(true) : once;
    }

    /** Longest sequence, and most tokens of a micro-batch. */
    static int capacity(ModelConfig config, TrainingSettings settings) {
        return settings.packing()
                ? settings.microBatchTokens()
                : Math.min(settings.microBatchTokens(), Math.max(1, config.contextLength()));
    }

    /** What this training takes. */
    public MemoryForecast forecast() {
        return forecast;
    }

    /** Numbers that training changes. */
    public long trainableParameters() {
        return parameters.count();
    }

    public ModelConfig config() {
        return files.config();
    }

    /**
     * The model's tokenizer and chat template, read when they are first asked for.
     *
     * @throws dev.tsumugi.engine.files.ModelFileException when the model's files have none that is supported
     */
    public ModelText text() {
        ModelText known = text;
        if (known == null) {
            known = ModelText.read(path, files);
            text = known;
        }
        return known;
    }

    /** Longest sequence in tokens that is not left out. */
    public int longestSequence() {
        return Math.min(settings.microBatchTokens(), Math.max(1, files.config().contextLength()));
    }

    /**
     * A sequence of a conversation, rendered by the model's own chat template exactly as it is when the engine serves, and the answer that is
     * learned, with the token that ends it.
     *
     * @param messages up to the question
     * @throws TrainingRefusedException when the chat template refuses the conversation, or cannot be answered
     */
    public TrainingSequence sequence(String id, List<ChatMessage> messages, String answer) {
        try {
            return TrainingSequence.of(id, text().chatPrompt(messages), text().chatAnswer(messages, answer));
        } catch (ChatTemplateException e) {
            throw new TrainingRefusedException(
                    Reason.MISMATCH, "sequence " + id + " does not fit the model: " + e.getMessage(), e);
        }
    }

    /**
     * Trains, from the checkpoint in {@code folder} where there is one. The folder is made where it is missing.
     *
     * @param validation measured before the first step, and as {@link TrainingSettings#evaluateEverySteps} says; may be empty, and then the
     *     last adapter counts as the best
     * @param folder for the checkpoint, and {@value #BEST}
     * @throws TrainingRefusedException for unfit data, another run's checkpoint, or numbers that are none any more; the last checkpoint stays
     * @throws IOException when a file cannot be written or read
     */
    public TrainingOutcome run(
            List<TrainingSequence> train, List<TrainingSequence> validation, Path folder, TrainingListener listener)
            throws IOException {
        if (train.isEmpty()) {
            throw new TrainingRefusedException(
                    Reason.EMPTY, "the training set is empty; give it examples with answers");
        }
        int vocabulary = files.config().vocabularySize();
        TrainingData learned = TrainingData.of("training", train, longestSequence(), vocabulary);
        TrainingData held = TrainingData.of("validation", validation, longestSequence(), vocabulary);
        learned.requireApartFrom(held);
        Files.createDirectories(folder);
        try (Optimizer optimizer = optimizer(folder)) {
            return run(
                    new TokenObjective(decoder, settings, learned, held),
                    optimizer,
                    fingerprint("", learned::digest, held::digest),
                    folder,
                    listener);
        }
    }

    /**
     * As {@link #run}, but minimizes the loss of RAG-Sequence, the marginal likelihood of each answer over the passages of its example, and
     * trains {@code scorer}, which says how likely each passage is, beside the adapter. The scorer's file is written beside the adapter's.
     *
     * @throws TrainingRefusedException as {@link #run}, and for label smoothing, with which there is no likelihood
     */
    public TrainingOutcome runRagSequence(
            List<PassageExample> train,
            List<PassageExample> validation,
            PassageScorer scorer,
            Path folder,
            TrainingListener listener)
            throws IOException {
        if (train.isEmpty()) {
            throw new TrainingRefusedException(
                    Reason.EMPTY, "the training set is empty; give it examples with answers and passages");
        }
        if (settings.labelSmoothing() > 0) {
            throw new TrainingRefusedException(
                    Reason.SETTINGS,
                    "label smoothing is " + settings.labelSmoothing() + "; with rag-sequence it must be 0");
        }
        int vocabulary = files.config().vocabularySize();
        PassageData learned = PassageData.of("training", train, longestSequence(), vocabulary);
        PassageData held = PassageData.of("validation", validation, longestSequence(), vocabulary);
        learned.sequences().requireApartFrom(held.sequences());
        Files.createDirectories(folder);
        scorer.initialize();
        try (Optimizer optimizer = new ScoringOptimizer(optimizer(folder), scorer)) {
            return run(
                    new RagSequenceObjective(decoder, settings, scorer, learned, held),
                    optimizer,
                    fingerprint("rag-sequence\n", learned::digest, held::digest),
                    folder,
                    listener);
        }
    }

    private TrainingOutcome run(
            Objective objective, Optimizer optimizer, String fingerprint, Path folder, TrainingListener listener)
            throws IOException {
        listener.leftOut(objective.tooLong(), objective.withoutTargets());
        Checkpoint checkpoint = new Checkpoint(folder, fingerprint);
        parameters.initialize();
        Progress progress = checkpoint.isThere() ? checkpoint.load(parameters, optimizer) : new Progress();
        return new TrainingLoop(
                        objective,
                        parameters,
                        optimizer,
                        settings,
                        checkpoint,
                        progress,
                        folder.resolve(BEST),
                        files.config().name(),
                        listener)
                .run();
    }

    private Optimizer optimizer(Path folder) throws IOException {
        return switch (settings.optimizer()) {
            case ADAMW ->
                new AdamW(Math.toIntExact(parameters.count()), settings.weightDecay(), backend.trainingKernels());
            case PAGED_ADAMW_8BIT ->
                new PagedAdamW8Bit(parameters, settings.weightDecay(), folder, backend.trainingKernels());
        };
    }

    private String fingerprint(String objective, Consumer<MessageDigest> learned, Consumer<MessageDigest> held) {
        MessageDigest digest = TrainingData.sha256();
        digest.update((objective + settings + "\n" + files.config() + "\n").getBytes(StandardCharsets.UTF_8));
        learned.accept(digest);
        held.accept(digest);
        return HexFormat.of().formatHex(digest.digest());
    }

    Decoder decoder() {
        return decoder;
    }

    LoraParameters parameters() {
        return parameters;
    }

    @Override
    public void close() {
        decoder.close();
        parameters.close();
        files.close();
        backend.close();
    }
}
