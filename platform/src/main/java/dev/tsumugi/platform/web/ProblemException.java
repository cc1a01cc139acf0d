package dev.tsumugi.platform.web;

import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ProblemDetail;
import org.springframework.web.ErrorResponseException;

/** An error that the caller sees as RFC 9457 problem detail; the detail says what is wrong and what to do. */
public class ProblemException extends ErrorResponseException {
    private static final String TYPE_PREFIX = "urn:tsumugi:problem:";

    private final String kind;

    /** @param kind stable, lower-case with hyphens: the last part of the problem's {@code type} */
    public ProblemException(HttpStatusCode status, String kind, String detail) {
        this(status, kind, detail, null);
    }

    public ProblemException(
            HttpStatusCode status, String kind, String detail, @org.jspecify.annotations.Nullable Throwable cause) {
        super(status, problem(status, kind, detail), cause);
        this.kind = kind;
    }

    public static ProblemException badRequest(String kind, String detail) {
        return new ProblemException(HttpStatus.BAD_REQUEST, kind, detail);
    }

    public static ProblemException notFound(String kind, String detail) {
        return new ProblemException(HttpStatus.NOT_FOUND, kind, detail);
    }

    public String kind() {
        return kind;
    }

    /** A problem with {@code type}, {@code title}, {@code status} and {@code detail} filled in. */
    public static ProblemDetail problem(HttpStatusCode status, String kind, String detail) {
        ProblemDetail problem = ProblemDetail.forStatusAndDetail(status, detail);
        problem.setType(java.net.URI.create(TYPE_PREFIX + kind));
        HttpStatus known = HttpStatus.resolve(status.value());
        problem.setTitle(known == null ? "Error" : known.getReasonPhrase());
        return problem;
    }

    /** The kind in {@code type}, or {@code error} for a type that is not ours. */
    static String kindOf(@org.jspecify.annotations.Nullable String type) {
        return type != null && type.startsWith(TYPE_PREFIX) ? type.substring(TYPE_PREFIX.length()) : "error";
    }
}
