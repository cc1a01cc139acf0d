package dev.tsumugi.generator.model;

import dev.tsumugi.engine.serve.Engine;
import dev.tsumugi.engine.serve.LoadedModel;
import java.time.Instant;

/**
 * A model that answers.
 *
 * @param name what callers call it
 * @param since when it was opened
 */
public record ServedModel(String name, LoadedModel model, Engine engine, Instant since) {
    /** Tokens of {@code text} inside a message. */
    public int countTokens(String text) {
        return model.tokenizer().encodePlain(text).length;
    }
}
