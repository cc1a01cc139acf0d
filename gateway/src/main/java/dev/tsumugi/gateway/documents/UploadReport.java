package dev.tsumugi.gateway.documents;

import dev.tsumugi.contracts.api.DocumentView;
import java.util.List;
import org.springframework.http.ProblemDetail;

/**
 * Answer to an upload of many files.
 *
 * @param documents those that were received, in the order of the files
 * @param refused the others
 */
record UploadReport(List<DocumentView> documents, List<Refused> refused) {

    /** @param problem why, and what to do */
    record Refused(String fileName, ProblemDetail problem) {}
}
