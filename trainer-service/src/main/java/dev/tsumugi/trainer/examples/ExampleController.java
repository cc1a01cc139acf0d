package dev.tsumugi.trainer.examples;

import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Stores and lists training examples. */
@RestController
@RequestMapping("/internal/training/examples")
class ExampleController {
    private static final int MAX_BODY = 64 * 1024 * 1024;
    private static final int MAX_PAGE = 1000;

    private final ExampleFormats formats = new ExampleFormats();
    private final ExampleStore store;

    ExampleController(ExampleStore store) {
        this.store = store;
    }

    /**
     * @param received examples in the body
     * @param changed of them new or different from what was stored
     * @param total stored examples of the tenant
     */
    record Stored(int received, int changed, long total) {}

    /** @param next pass as {@code after} to get the next page; absent on the last */
    record Page(
            List<Example> examples, long total, @Nullable String next) {}

    /** Stores all examples of the body, or none when one of them is invalid. */
    @PostMapping
    Stored store(Caller caller, InputStream body) throws IOException {
        byte[] bytes = body.readNBytes(MAX_BODY + 1);
        if (bytes.length > MAX_BODY) {
            throw new ProblemException(
                    HttpStatus.CONTENT_TOO_LARGE,
                    "examples-too-large",
                    "The body has more than 64 MiB. Send the examples in several calls.");
        }
        ExampleFormats.Result result = formats.read(bytes);
        if (!result.errors().isEmpty()) {
            ProblemException problem = ProblemException.badRequest(
                    "examples-invalid", "Nothing was stored. " + String.join("; ", result.errors()) + ".");
            problem.getBody().setProperty("errors", result.errors());
            throw problem;
        }
        int changed = store.store(caller.tenant(), result.examples(), "import");
        return new Stored(result.examples().size(), changed, store.count(caller.tenant()));
    }

    @GetMapping
    Page list(
            Caller caller,
            @RequestParam(defaultValue = "100") int limit,
            @RequestParam(defaultValue = "") String after) {
        if (limit < 1 || limit > MAX_PAGE) {
            throw ProblemException.badRequest(
                    "limit-invalid", "limit must be 1 to " + MAX_PAGE + ", but is " + limit + ".");
        }
        List<Example> page = store.page(caller.tenant(), after, limit).stream()
                .map(ExampleStore.Stored::example)
                .toList();
        return new Page(
                page,
                store.count(caller.tenant()),
                page.size() < limit ? null : page.getLast().id());
    }

    @DeleteMapping("/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void delete(Caller caller, @PathVariable String id) {
        if (!store.delete(caller.tenant(), id)) {
            throw ProblemException.notFound("example-unknown", "There is no training example with the id " + id + ".");
        }
    }
}
