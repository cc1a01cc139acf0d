package dev.tsumugi.gateway.errors;

import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.io.Writer;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ErrorReportValve;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import tools.jackson.databind.json.JsonMapper;

/** What Tomcat refuses before any of our code sees it, such as a malformed address, is a problem detail too. */
public final class ProblemReportValve extends ErrorReportValve {
    private static final JsonMapper JSON = JsonMapper.shared();

    @Override
    protected void report(Request request, Response response, @Nullable Throwable failure) {
        int status = response.getStatus();
        if (status < 400 || response.getContentWritten() > 0 || !response.setErrorReported()) {
            return;
        }
        boolean ours = HttpStatusCode.valueOf(status).is5xxServerError();
        HttpStatus known = HttpStatus.resolve(status);
        var problem = ProblemException.problem(
                known == null ? HttpStatus.BAD_REQUEST : known,
                ours ? "internal-error" : "malformed-request",
                ours
                        ? "An unexpected error. The log of the gateway has the cause."
                        : "The request cannot be read: its address or headers are malformed.");
        response.setContentType(MediaType.APPLICATION_PROBLEM_JSON_VALUE);
        response.setCharacterEncoding("UTF-8");
        try (Writer writer = response.getReporter()) {
            if (writer != null) {
                writer.write(JSON.writeValueAsString(problem));
                response.finishResponse();
            }
        } catch (IOException e) {
            container.getLogger().debug("the caller has gone", e);
        }
    }
}
