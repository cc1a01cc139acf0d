package dev.tsumugi.generator.openai;

import org.jspecify.annotations.Nullable;

/** Error body of the OpenAI API. */
record OpenAiError(Detail error) {
    record Detail(
            String message,
            String type,
            @Nullable String param,
            @Nullable String code) {}
}
