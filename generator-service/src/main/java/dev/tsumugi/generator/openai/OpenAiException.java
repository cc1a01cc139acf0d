package dev.tsumugi.generator.openai;

import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;

/** A refusal in the shape that OpenAI clients read: {@code {"error": {"message", "type", "param", "code"}}}. */
final class OpenAiException extends RuntimeException {
    private final HttpStatus status;
    private final @Nullable String parameter;
    private final @Nullable String code;

    OpenAiException(HttpStatus status, String message, @Nullable String parameter, @Nullable String code) {
        super(message);
        this.status = status;
        this.parameter = parameter;
        this.code = code;
    }

    static OpenAiException invalid(String parameter, String message) {
        return new OpenAiException(HttpStatus.BAD_REQUEST, message, parameter, "invalid_value");
    }

    HttpStatus status() {
        return status;
    }

    OpenAiError body() {
        String type = status.is5xxServerError()
                ? "server_error"
                : status == HttpStatus.TOO_MANY_REQUESTS ? "rate_limit_error" : "invalid_request_error";
        return new OpenAiError(new OpenAiError.Detail(String.valueOf(getMessage()), type, parameter, code));
    }
}
