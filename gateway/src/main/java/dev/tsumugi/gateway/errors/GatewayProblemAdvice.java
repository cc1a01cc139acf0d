package dev.tsumugi.gateway.errors;

import dev.tsumugi.platform.web.ProblemAdvice;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import org.springframework.http.ProblemDetail;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.context.request.ServletWebRequest;
import org.springframework.web.context.request.WebRequest;
import org.springframework.web.method.annotation.MethodArgumentTypeMismatchException;
import org.springframework.web.multipart.MaxUploadSizeExceededException;
import org.springframework.web.multipart.MultipartException;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;

/** Problem details of the public interface: they name the field, say when to come again, and take OpenAI's shape under {@code /v1}. */
@RestControllerAdvice
class GatewayProblemAdvice extends ProblemAdvice {
    private static final String RETRY_SECONDS = "5";

    @ExceptionHandler(MultipartException.class)
    @Nullable
    ResponseEntity<Object> unreadableUpload(MultipartException e, WebRequest request) {
        return handleExceptionInternal(e, null, new HttpHeaders(), HttpStatus.BAD_REQUEST, request);
    }

    @Override
    protected @Nullable ResponseEntity<Object> handleExceptionInternal(
            Exception e, @Nullable Object body, HttpHeaders headers, HttpStatusCode status, WebRequest request) {
        ProblemException better = better(e);
        ResponseEntity<Object> response = better == null
                ? super.handleExceptionInternal(e, body, headers, status, request)
                : super.handleExceptionInternal(
                        better, better.getBody(), better.getHeaders(), better.getStatusCode(), request);
        if (response == null || !(response.getBody() instanceof ProblemDetail problem)) {
            return response;
        }
        HttpHeaders all = new HttpHeaders();
        all.putAll(response.getHeaders());
        int code = response.getStatusCode().value();
        if ((code == 429 || code == 503) && !all.containsHeader(HttpHeaders.RETRY_AFTER)) {
            all.set(HttpHeaders.RETRY_AFTER, RETRY_SECONDS);
        }
        HttpServletRequest servletRequest = ((ServletWebRequest) request).getRequest();
        if (servletRequest.getRequestURI().startsWith("/v1/")) {
            all.setContentType(MediaType.APPLICATION_JSON);
            return new ResponseEntity<>(OpenAiError.of(problem), all, response.getStatusCode());
        }
        // Said here, so that an Accept header for the answer does not keep the error from being told.
        all.setContentType(MediaType.APPLICATION_PROBLEM_JSON);
        return new ResponseEntity<>(problem, all, response.getStatusCode());
    }

    /** What the framework's own exceptions say of their cause is not for the caller; this says it in our words. */
    private static @Nullable ProblemException better(Exception e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof BodyTooLargeException tooLarge) {
                return Problems.tooLarge(tooLarge.limit());
            }
        }
        return switch (e) {
            case HttpMessageNotReadableException unreadable -> malformed(unreadable);
            case MethodArgumentTypeMismatchException mismatch ->
                Problems.field(mismatch.getName(), "is of the wrong type");
            case MaxUploadSizeExceededException _ ->
                new ProblemException(
                        HttpStatus.CONTENT_TOO_LARGE,
                        "too-large",
                        "A file, or the upload as a whole, is larger than the limit. Upload fewer or smaller files, or raise the settings"
                                + " tsumugi.gateway.max-upload and max-upload-request.");
            case MultipartException _ ->
                Problems.badRequest(
                        "malformed-multipart",
                        "The multipart body cannot be read: it is cut off, or its boundary is not the one of the Content-Type header.");
            default -> null;
        };
    }

    private static ProblemException malformed(HttpMessageNotReadableException e) {
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof StreamReadException || cause instanceof StreamConstraintsException) {
                return noJson((JacksonException) cause);
            }
        }
        if (e.getCause() instanceof DatabindException mismatch
                && !mismatch.getPath().isEmpty()) {
            return mismatched(mismatch);
        }
        return e.getCause() instanceof JacksonException broken
                ? noJson(broken)
                : Problems.badRequest("malformed-json", "The body is missing or no valid JSON.");
    }

    private static ProblemException mismatched(DatabindException e) {
        String field = e.getPath().stream()
                .map(step -> step.getPropertyName() == null ? "[" + step.getIndex() + "]" : step.getPropertyName())
                .collect(Collectors.joining("."))
                .replace(".[", "[");
        return Problems.field(
                field,
                e instanceof UnrecognizedPropertyException
                        ? "is not a field of this call"
                        : "has a value that it cannot have");
    }

    private static ProblemException noJson(JacksonException e) {
        String where = e.getLocation() == null
                ? ""
                : " at line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr();
        return Problems.badRequest(
                "malformed-json", "The body is no valid JSON" + where + ": " + firstLine(e.getOriginalMessage()));
    }

    private static String firstLine(@Nullable String message) {
        String line = message == null ? "" : message.lines().findFirst().orElse("");
        return line.length() <= 200 ? line : line.substring(0, 200) + "...";
    }
}
