package dev.tsumugi.gateway.documents;

import dev.tsumugi.contracts.api.DocumentHeaders;
import dev.tsumugi.contracts.api.DocumentPage;
import dev.tsumugi.contracts.api.DocumentView;
import dev.tsumugi.gateway.downstream.ServiceClient;
import dev.tsumugi.gateway.downstream.Services;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.core.io.InputStreamSource;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.multipart.MultipartFile;
import org.springframework.web.multipart.MultipartHttpServletRequest;
import org.springframework.web.util.UriUtils;

/** Takes documents in, and says where each stands. */
@RestController
class DocumentsController {
    private static final String PATH = "/internal/documents";
    private static final int MAX_PAGE = 200;
    private static final int MAX_FILES = 1000;

    private final ServiceClient ingest;

    DocumentsController(Services services) {
        this.ingest = services.ingest();
    }

    @GetMapping("/api/v1/documents")
    DocumentPage list(
            @RequestParam(defaultValue = "50") int limit,
            @RequestParam(required = false) @Nullable String after,
            Caller caller) {
        if (limit < 1 || limit > MAX_PAGE) {
            throw Problems.field("limit", "must be 1 to " + MAX_PAGE);
        }
        String query =
                "?limit=" + limit + (after == null ? "" : "&after=" + UriUtils.encode(after, StandardCharsets.UTF_8));
        return ingest.get(PATH + query, caller, DocumentPage.class);
    }

    @GetMapping("/api/v1/documents/{*id}")
    DocumentView get(@PathVariable String id, Caller caller) {
        return ingest.get(ServiceClient.path(PATH, DocumentIds.fromAddress(id)), caller, DocumentView.class);
    }

    @DeleteMapping("/api/v1/documents/{*id}")
    @ResponseStatus(HttpStatus.ACCEPTED)
    DocumentView delete(@PathVariable String id, Caller caller) {
        return ingest.delete(ServiceClient.path(PATH, DocumentIds.fromAddress(id)), caller, DocumentView.class);
    }

    /** The body is the document, of whatever type. */
    @PutMapping("/api/v1/documents/{*id}")
    @ResponseStatus(HttpStatus.ACCEPTED)
    DocumentView put(@PathVariable String id, HttpServletRequest request, Caller caller) {
        UploadHeaders headers = UploadHeaders.parse(
                request.getHeader(DocumentHeaders.TITLE),
                request.getHeader(DocumentHeaders.ACL),
                request.getHeader(DocumentHeaders.METADATA),
                request.getHeader(DocumentHeaders.FILE_NAME),
                request.getContentType());
        return send(
                DocumentIds.fromAddress(id), headers, request.getContentLengthLong(), request::getInputStream, caller);
    }

    /** One file of a form is the document; its fields say the rest. */
    @PutMapping(path = "/api/v1/documents/{*id}", consumes = MediaType.MULTIPART_FORM_DATA_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    DocumentView putForm(@PathVariable String id, MultipartHttpServletRequest form, Caller caller) {
        List<MultipartFile> files = filesOf(form);
        if (files.size() != 1) {
            throw Problems.field("file", "must be given once in an upload to one document");
        }
        return send(DocumentIds.fromAddress(id), files.getFirst(), form, caller);
    }

    /** Every file of the form becomes a document. */
    @PostMapping(path = "/api/v1/documents", consumes = MediaType.MULTIPART_FORM_DATA_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    UploadReport post(MultipartHttpServletRequest form, Caller caller) {
        List<MultipartFile> files = filesOf(form);
        String id = form.getParameter("id");
        if (files.size() > 1 && (id != null || form.getParameter("title") != null)) {
            throw Problems.field("id", "and title can only be given with a single file");
        }
        List<DocumentView> received = new ArrayList<>();
        List<UploadReport.Refused> refused = new ArrayList<>();
        for (MultipartFile file : files) {
            try {
                String documentId = id == null ? DocumentIds.fromFileName(nameOf(file)) : DocumentIds.checked(id);
                received.add(send(documentId, file, form, caller));
            } catch (ProblemException e) {
                if (files.size() == 1) {
                    throw e;
                }
                refused.add(new UploadReport.Refused(nameOf(file), e.getBody()));
            }
        }
        return new UploadReport(received, refused);
    }

    private DocumentView send(String id, MultipartFile file, HttpServletRequest form, Caller caller) {
        String name = nameOf(file);
        UploadHeaders headers = UploadHeaders.parse(
                form.getParameter("title"),
                form.getParameter("acl"),
                form.getParameter("metadata"),
                UriUtils.encode(
                        name.substring(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1),
                        StandardCharsets.UTF_8),
                file.getContentType());
        return send(id, headers, file.getSize(), file, caller);
    }

    private DocumentView send(
            String id, UploadHeaders description, long length, InputStreamSource content, Caller caller) {
        return ingest.upload(
                HttpMethod.PUT,
                ServiceClient.path(PATH, id),
                caller,
                headers -> {
                    description.writeTo(headers);
                    if (length >= 0) {
                        headers.setContentLength(length);
                    }
                },
                out -> {
                    try (InputStream in = content.getInputStream()) {
                        in.transferTo(out);
                    }
                },
                DocumentView.class);
    }

    private static List<MultipartFile> filesOf(MultipartHttpServletRequest form) {
        List<MultipartFile> files = form.getMultiFileMap().values().stream()
                .flatMap(List::stream)
                .filter(file -> !nameOf(file).isEmpty() || !file.isEmpty())
                .toList();
        if (files.isEmpty()) {
            throw Problems.field("file", "is missing: the form holds no file");
        }
        if (files.size() > MAX_FILES) {
            throw Problems.field("file", "can be given at most " + MAX_FILES + " times in one upload");
        }
        return files;
    }

    private static String nameOf(MultipartFile file) {
        String name = file.getOriginalFilename();
        return name == null ? "" : name;
    }
}
