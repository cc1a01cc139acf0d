package dev.tsumugi.engine.tokenizer;

import org.jspecify.annotations.Nullable;

/** A conversation that the model's template refuses, or a template that cannot be read. */
public final class ChatTemplateException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    public ChatTemplateException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
