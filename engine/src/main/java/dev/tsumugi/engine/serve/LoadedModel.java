package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.adapter.AdapterLimits;
import dev.tsumugi.engine.constrain.Constraints;
import dev.tsumugi.engine.files.ModelStore;
import dev.tsumugi.engine.files.ModelText;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.engine.kernels.PackedWeights;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.LanguageModels;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * A model with all that belongs to it: weights on a backend, tokenizer, chat template and end tokens, opened from one GGUF file or one folder
 * of safetensors. Closing it frees the weights and the backend; engines over it are closed before.
 */
public final class LoadedModel implements AutoCloseable {
    private final LanguageModel model;
    private final Backend backend;
    private final ModelText text;
    private @Nullable Constraints constraints;

    private LoadedModel(LanguageModel model, Backend backend, ModelText text) {
        this.model = model;
        this.backend = backend;
        this.text = text;
    }

    /**
     * Opens a GGUF file or a model folder; {@link ModelStore#locate} turns names and repository ids into one.
     *
     * @throws dev.tsumugi.engine.files.ModelFileException when files are missing, unsound or of a kind that is not supported
     * @throws IllegalArgumentException when there is no such backend, or the weights do not fit together
     * @throws IllegalStateException when the named backend cannot run here
     */
    public static LoadedModel open(Path path, ModelOptions options) {
        ModelFiles files = ModelStore.openPath(path);
        // The vocabulary is read beside the backend and the weights: neither needs the other, and each takes some
        // tenths of a second.
        CompletableFuture<ModelText> text = CompletableFuture.supplyAsync(
                () -> ModelText.read(path, files),
                task -> Thread.ofPlatform().name("tsumugi-vocabulary").daemon().start(task));
        Backend backend;
        try {
            backend = Backends.open(options.backend(), options.threads(), options.precision());
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
        LanguageModel model;
        try {
            model = load(path, files, options, backend);
        } catch (RuntimeException | Error e) {
            backend.close();
            throw e;
        }
        try {
            return new LoadedModel(model, backend, text.join());
        } catch (CompletionException e) {
            model.close();
            backend.close();
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    private static LanguageModel load(Path path, ModelFiles files, ModelOptions options, Backend backend) {
        Path folder = options.packedFolder();
        try (PackedWeights kept = folder == null ? PackedWeights.none() : KeptWeights.of(folder, path)) {
            backend.keepPacked(kept);
            // From here on the model owns the files.
            LanguageModel model = LanguageModels.load(files, backend, options.cacheStorage());
            kept.complete();
            return model;
        }
    }

    public ModelConfig config() {
        return model.config();
    }

    public LanguageModel model() {
        return model;
    }

    /** What the model's files say of text. */
    public ModelText text() {
        return text;
    }

    public Tokenizer tokenizer() {
        return text.tokenizer();
    }

    /** Compiles what answers must match; reads the vocabulary when it is first asked for. */
    public synchronized Constraints constraints() {
        Constraints known = constraints;
        if (known == null) {
            known = new Constraints(text.tokenizer());
            constraints = known;
        }
        return known;
    }

    /** Name of the backend that computes. */
    public String backend() {
        return backend.name();
    }

    /** Ids that end an answer. */
    public Set<Integer> endTokens() {
        return text.endTokens();
    }

    /** Whether the files bring a chat template; without one, {@link #chatPrompt} writes roles and contents plainly. */
    public boolean hasChatTemplate() {
        return text.chatTemplate() != null;
    }

    /**
     * The prompt after which the model gives the next answer of a conversation. Special tokens in the messages are made harmless, so that a
     * question or a quoted document cannot end its turn.
     *
     * @throws dev.tsumugi.engine.tokenizer.ChatTemplateException when the template refuses the conversation
     */
    public int[] chatPrompt(List<ChatMessage> messages) {
        return text.chatPrompt(messages);
    }

    /** Starts an engine with a key/value cache of about {@code cacheBytes}. */
    public Engine startEngine(long cacheBytes) {
        return startEngine(EngineLimits.forMemory(model, cacheBytes));
    }

    public Engine startEngine(EngineLimits limits) {
        return Engine.start(model, tokenizer(), endTokens(), limits);
    }

    public Engine startEngine(EngineLimits limits, AdapterLimits adapters) {
        return Engine.start(model, tokenizer(), endTokens(), limits, adapters);
    }

    @Override
    public void close() {
        model.close();
        backend.close();
    }
}
