package dev.tsumugi.gateway.errors;

import dev.tsumugi.platform.web.ProblemException;
import org.springframework.http.HttpStatus;
import org.springframework.util.unit.DataSize;

/** The problems that the gateway itself finds. */
public final class Problems {
    /** Property of a problem detail: the field, parameter or header that is wrong. */
    public static final String FIELD = "field";

    private Problems() {}

    public static ProblemException badRequest(String kind, String detail) {
        return ProblemException.badRequest(kind, detail);
    }

    /** @param rule what the field must be, continuing a sentence that begins with its name */
    public static ProblemException field(String name, String rule) {
        ProblemException problem = ProblemException.badRequest("invalid-field", name + " " + rule + ".");
        problem.getBody().setProperty(FIELD, name);
        return problem;
    }

    public static ProblemException unauthorized(String detail) {
        ProblemException problem = new ProblemException(HttpStatus.UNAUTHORIZED, "unauthorized", detail);
        problem.getHeaders().set("WWW-Authenticate", "Bearer");
        return problem;
    }

    public static ProblemException forbidden(String detail) {
        return new ProblemException(HttpStatus.FORBIDDEN, "forbidden", detail);
    }

    public static ProblemException tooLarge(DataSize limit) {
        String size = limit.toMegabytes() > 0 ? limit.toMegabytes() + " MB" : limit.toBytes() + " bytes";
        return new ProblemException(
                HttpStatus.CONTENT_TOO_LARGE,
                "too-large",
                "The body is larger than the limit of " + size
                        + ". Split it, or raise the limit in the settings tsumugi.gateway.max-*.");
    }

    public static ProblemException busy() {
        return new ProblemException(
                HttpStatus.TOO_MANY_REQUESTS,
                "too-many-answers",
                "Too many answers are being written at this moment. Try again in a few seconds.");
    }
}
