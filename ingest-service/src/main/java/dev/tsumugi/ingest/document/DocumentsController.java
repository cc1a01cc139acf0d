package dev.tsumugi.ingest.document;

import dev.tsumugi.contracts.api.DocumentPage;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.ingest.registry.DocumentRegistry;
import dev.tsumugi.ingest.registry.RegisteredDocument;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.List;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Documents for the gateway. An id may hold slashes. */
@RestController
@RequestMapping("/internal")
class DocumentsController {
    private static final int MAX_PAGE = 200;

    private final Uploads uploads;
    private final DocumentRegistry registry;

    DocumentsController(Uploads uploads, DocumentRegistry registry) {
        this.uploads = uploads;
        this.registry = registry;
    }

    @PutMapping("/documents/{*path}")
    ResponseEntity<DocumentView> put(@PathVariable String path, Caller caller, HttpServletRequest request)
            throws IOException {
        if (request.getContentLengthLong() > uploads.maxBytes()) {
            throw uploads.tooLarge();
        }
        DocumentView view = uploads.put(caller, id(path), UploadHeaders.read(request), request.getInputStream());
        return ResponseEntity.accepted().body(view);
    }

    @GetMapping("/documents")
    DocumentPage page(
            Caller caller,
            @RequestParam(defaultValue = "50") int limit,
            @RequestParam(defaultValue = "") String after) {
        if (limit < 1 || limit > MAX_PAGE) {
            throw ProblemException.badRequest(
                    "page-limit", "limit must be 1 to " + MAX_PAGE + ", but is " + limit + ".");
        }
        if (after.chars().anyMatch(Character::isISOControl)) {
            throw ProblemException.badRequest("page-after", "after must be the id of a document.");
        }
        DocumentRegistry.Reader reader = Uploads.reader(caller);
        List<RegisteredDocument> found = registry.page(reader, after, limit + 1);
        List<DocumentView> views =
                found.stream().limit(limit).map(RegisteredDocument::view).toList();
        String next = found.size() > limit ? views.getLast().id() : null;
        return new DocumentPage(views, registry.count(reader), next);
    }

    @GetMapping("/documents/{*path}")
    DocumentView get(@PathVariable String path, Caller caller) {
        return uploads.get(caller, id(path));
    }

    @DeleteMapping("/documents/{*path}")
    ResponseEntity<DocumentView> delete(@PathVariable String path, Caller caller) {
        return ResponseEntity.accepted().body(uploads.delete(caller, id(path)));
    }

    /** @param documents how many will be processed again */
    record Reindexing(int documents) {}

    @PostMapping("/reindex")
    ResponseEntity<Reindexing> reindex(Caller caller) {
        return ResponseEntity.accepted().body(new Reindexing(uploads.reindex(caller.tenant())));
    }

    private static String id(String path) {
        return path.startsWith("/") ? path.substring(1) : path;
    }
}
