package dev.tsumugi.generator.model;

import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.LoadedModel;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A model that answers, bare or with one of its adapters.
 *
 * @param modelName what callers call the bare model
 * @param since when it was opened
 * @param adapters that it can answer with
 * @param adapterName of the one that it answers with; null: none
 * @param adapterDigest of that one; null: none
 */
public record ServedModel(
        String modelName,
        LoadedModel model,
        Engine engine,
        Instant since,
        AdapterNames adapters,
        @Nullable String adapterName,
        @Nullable String adapterDigest) {

    static ServedModel bare(String name, LoadedModel model, Engine engine, Instant since, AdapterNames adapters) {
        return new ServedModel(name, model, engine, since, adapters, null, null);
    }

    /** What callers call it: the name of its adapter, if it has one. */
    public String name() {
        return adapterName == null ? modelName : adapterName;
    }

    /** This model with the adapter of that name; the model itself when there is none. */
    public ServedModel called(String name) {
        LoadedAdapter found = adapters.find(name);
        return found == null ? this : new ServedModel(modelName, model, engine, since, adapters, name, found.digest());
    }

    /** Tokens of {@code text} inside a message. */
    public int countTokens(String text) {
        return model.tokenizer().encodePlain(text).length;
    }
}
