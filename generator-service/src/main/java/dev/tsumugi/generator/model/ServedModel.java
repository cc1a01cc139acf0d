package dev.tsumugi.generator.model;

import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.LoadedModel;
import dev.tsumugi.platform.grounding.RefusalBias;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A model that answers, bare or with one of its adapters, which it holds until it is closed.
 *
 * @param modelName what callers call the bare model
 * @param digest of the model's files, {@link dev.tsumugi.engine.files.ModelDigest}
 * @param since when it was opened
 * @param adapters that it can answer with
 * @param adapter that it answers with; null: none
 */
public record ServedModel(
        String modelName,
        String digest,
        LoadedModel model,
        Engine engine,
        Instant since,
        AdapterNames adapters,
        @Nullable HeldAdapter adapter)
        implements AutoCloseable {

    /** What callers call it: the name of its adapter, if it has one. */
    public String name() {
        return adapter == null ? modelName : adapter.name();
    }

    public @Nullable String adapterName() {
        return adapter == null ? null : adapter.name();
    }

    public @Nullable String adapterDigest() {
        return adapter == null ? null : adapter.digest();
    }

    /**
     * This model with the adapter that a tenant means by {@code name}; bare when there is none, or the name is the model's.
     *
     * @param text of the request, which decides whether a canary answers it
     */
    public ServedModel called(String tenant, String name, String text) {
        return with(name.equals(modelName) ? null : adapters.hold(tenant, name, text));
    }

    /** This model with the adapter that answers a tenant where none is named; bare when there is none. */
    public ServedModel promoted(String tenant, String text) {
        return with(adapters.holdPromoted(tenant, text));
    }

    private ServedModel with(@Nullable HeldAdapter held) {
        return new ServedModel(modelName, digest, model, engine, since, adapters, held);
    }

    /** What the first token of an answer to {@code question} is biased by, as the adapter was tuned. */
    public Map<Integer, Float> refusalBias(String question) {
        return adapter == null
                ? Map.of()
                : RefusalBias.firstToken(
                        question,
                        RefusalBias.of(engine.adapters().metadata(adapter.digest())),
                        model.tokenizer()::encodePlain);
    }

    /** Tokens of {@code text} inside a message. */
    public int countTokens(String text) {
        return model.tokenizer().encodePlain(text).length;
    }

    /** An answer broke off in the model. */
    public void failed() {
        if (adapter != null) {
            adapter.failed();
        }
    }

    /** Gives the adapter back; generations that were submitted with it go on. */
    @Override
    public void close() {
        if (adapter != null) {
            adapter.close();
        }
    }
}
