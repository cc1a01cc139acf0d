package dev.tsumugi.gateway.errors;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.http.ProblemDetail;

/** An error as OpenAI clients expect it. */
@JsonInclude(JsonInclude.Include.ALWAYS)
public record OpenAiError(Error error) {

    /** @param param the field of the request that is wrong */
    @JsonInclude(JsonInclude.Include.ALWAYS)
    public record Error(
            String message,
            String type,
            @Nullable String param,
            @Nullable String code) {}

    /** For an answer that broke off after its first words. */
    public static OpenAiError server(String message) {
        return new OpenAiError(new Error(message, "server_error", null, "broken_off"));
    }

    static OpenAiError of(ProblemDetail problem) {
        int status = problem.getStatus();
        String type = switch (status) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 429 -> "rate_limit_error";
            default -> status >= 500 ? "server_error" : "invalid_request_error";
        };
        Map<String, Object> properties = problem.getProperties();
        Object field = properties == null ? null : properties.get(Problems.FIELD);
        String detail = problem.getDetail();
        return new OpenAiError(new Error(
                detail == null ? String.valueOf(problem.getTitle()) : detail,
                type,
                field == null ? null : field.toString(),
                codeOf(problem)));
    }

    private static @Nullable String codeOf(ProblemDetail problem) {
        if (problem.getStatus() == 401) {
            return "invalid_api_key";
        }
        if (problem.getType() == null) {
            return null;
        }
        String type = problem.getType().toString();
        return type.substring(type.lastIndexOf(':') + 1).replace('-', '_');
    }
}
