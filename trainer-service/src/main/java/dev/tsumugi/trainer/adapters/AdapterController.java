package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.platform.adapters.AdapterTooLargeException;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.ProblemDetail;
import org.springframework.util.FileSystemUtils;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Adapters of a tenant: which there are, the import of one, and which answers. */
@RestController
@RequestMapping("/internal/adapters")
class AdapterController {
    private final AdapterPublisher publisher;
    private final AdapterRegistry registry;
    private final AdapterReplicas replicas;
    private final AdapterProperties properties;

    AdapterController(
            AdapterPublisher publisher,
            AdapterRegistry registry,
            AdapterReplicas replicas,
            AdapterProperties properties) {
        this.publisher = publisher;
        this.registry = registry;
        this.replicas = replicas;
        this.properties = properties;
    }

    record Adapters(List<AdapterView> adapters) {}

    /**
     * What to promote; all absent: the canary if there is one, and else what the name stands for.
     *
     * @param digest of a version of the name, or its first 8 or more digits
     * @param canary percent of the requests that this version answers; absent: all
     */
    record Promotion(@Nullable String digest, @Nullable Integer canary) {}

    @GetMapping
    Adapters list(Caller caller) {
        return new Adapters(registry.visibleTo(caller.tenant()).stream()
                .map(adapter -> AdapterView.of(adapter, registry.versions(adapter.key()), replicas.alive()))
                .toList());
    }

    @GetMapping("/{name}")
    AdapterView get(Caller caller, @PathVariable String name) {
        return registry.visibleTo(caller.tenant()).stream()
                .filter(adapter -> adapter.key().name().equals(name))
                .findFirst()
                .map(adapter -> AdapterView.of(adapter, registry.versions(adapter.key()), replicas.alive()))
                .orElseThrow(() -> unknown(name));
    }

    /**
     * Imports a PEFT folder, as zip file in the body, after a generator has found that its model can use it.
     *
     * @param canary percent of the requests for a name that is known already; 0: all at once
     */
    @PostMapping
    @ResponseStatus(HttpStatus.CREATED)
    AdapterView importZip(
            Caller caller,
            @RequestParam(defaultValue = "") String name,
            @RequestParam(defaultValue = "0") int canary,
            HttpServletRequest request)
            throws IOException {
        AdapterKey key = key(caller, name);
        requirePercent(canary, 0);
        Path work = Files.createTempDirectory("tsumugi-adapter");
        try {
            Path zip = work.resolve("adapter.zip");
            receive(request.getInputStream(), zip);
            Path folder = Files.createDirectory(work.resolve("peft"));
            AdapterZip.unpack(zip, folder, properties.maxSize().toBytes());
            publisher.importFolder(key, folder, canary);
            return get(caller, name);
        } finally {
            FileSystemUtils.deleteRecursively(work);
        }
    }

    private void receive(InputStream body, Path target) throws IOException {
        long most = properties.maxSize().toBytes();
        long size = 0;
        try (OutputStream out = Files.newOutputStream(target)) {
            byte[] buffer = new byte[64 * 1024];
            for (int n = body.read(buffer); n >= 0; n = body.read(buffer)) {
                size += n;
                if (size > most) {
                    throw new AdapterTooLargeException(most);
                }
                out.write(buffer, 0, n);
            }
        }
        if (size == 0) {
            throw new InvalidAdapterZipException("The body is empty. Send the zip file of a PEFT folder.");
        }
    }

    @PostMapping("/{name}/promote")
    AdapterView promote(
            Caller caller, @PathVariable String name, @RequestBody(required = false) @Nullable Promotion promotion) {
        AdapterKey key = changeable(caller, name);
        String wanted = promotion == null ? null : promotion.digest();
        Integer percent = promotion == null ? null : promotion.canary();
        if (percent != null) {
            requirePercent(percent, 1);
            if (wanted == null) {
                throw ProblemException.badRequest(
                        "adapter-invalid", "A canary needs the digest of the version that is to be tried.");
            }
            String tried = version(key, wanted);
            if (registry.find(key)
                    .filter(adapter -> adapter.digest().equals(tried))
                    .isPresent()) {
                throw ProblemException.badRequest(
                        "adapter-invalid",
                        "The adapter " + name + " stands for this version already; a canary tries another one.");
            }
            publisher.startCanary(key, tried, percent);
        } else if (wanted != null) {
            publisher.promote(key, version(key, wanted));
        } else {
            publisher.promote(key.tenant(), key.name());
        }
        return get(caller, name);
    }

    private String version(AdapterKey key, String wanted) {
        List<String> fitting = registry.versions(key).stream()
                .map(AdapterVersion::digest)
                .filter(digest -> wanted.length() >= 8 && digest.startsWith(wanted))
                .toList();
        if (fitting.size() != 1) {
            throw ProblemException.notFound(
                    "adapter-unknown",
                    "The adapter " + key.name() + " has no version, or more than one, whose digest begins with these"
                            + " (at least 8) digits. GET /api/v1/adapters/" + key.name() + " lists its versions.");
        }
        return fitting.getFirst();
    }

    @PostMapping("/{name}/rollback")
    AdapterView rollback(Caller caller, @PathVariable String name) {
        if (!publisher.rollBack(changeable(caller, name))) {
            throw new ProblemException(
                    HttpStatus.CONFLICT,
                    "adapter-first",
                    "The adapter " + name + " has stood for nothing else, and is not promoted. To be rid of it,"
                            + " DELETE it.");
        }
        return get(caller, name);
    }

    @DeleteMapping("/{name}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void delete(Caller caller, @PathVariable String name) {
        publisher.delete(changeable(caller, name));
    }

    /** What comes with the product is its administrator's to change, and no tenant's. */
    private AdapterKey changeable(Caller caller, String name) {
        AdapterKey key = key(caller, name);
        if (registry.find(key).filter(adapter -> !adapter.deleted()).isPresent()) {
            return key;
        }
        if (registry.find(AdapterKey.shared(name))
                .filter(adapter -> !adapter.deleted())
                .isPresent()) {
            if (caller.readsAll()) {
                return AdapterKey.shared(name);
            }
            throw new ProblemException(
                    HttpStatus.FORBIDDEN,
                    "adapter-shared",
                    "The adapter " + name + " comes with Tsumugi and serves all tenants, so it cannot be changed. Ask"
                            + " with the adapter none, or promote one of your own in its place.");
        }
        throw unknown(name);
    }

    private static AdapterKey key(Caller caller, String name) {
        try {
            return new AdapterKey(caller.tenant(), name);
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest(
                    "adapter-invalid", "The name is not possible: " + e.getMessage() + ". Give it as ?name=.");
        }
    }

    private static void requirePercent(int percent, int least) {
        if (percent < least || percent > 100) {
            throw ProblemException.badRequest(
                    "adapter-invalid", "canary must be " + least + " to 100 percent, but is " + percent + ".");
        }
    }

    private static ProblemException unknown(String name) {
        return ProblemException.notFound("adapter-unknown", "There is no adapter named " + name + ".");
    }

    @ExceptionHandler
    ProblemDetail refused(InvalidAdapterZipException e) {
        return ProblemException.problem(HttpStatus.BAD_REQUEST, "adapter-refused", String.valueOf(e.getMessage()));
    }

    /** Its message begins with a path of this machine. */
    @ExceptionHandler
    ProblemDetail unsound(ModelFileException e) {
        String message = String.valueOf(e.getMessage());
        Path file = e.file();
        String shown = file == null ? message : message.replace(file.toString(), String.valueOf(file.getFileName()));
        return ProblemException.problem(HttpStatus.BAD_REQUEST, "adapter-refused", shown);
    }

    @ExceptionHandler
    ProblemDetail tooLarge(AdapterTooLargeException e) {
        return ProblemException.problem(
                HttpStatus.CONTENT_TOO_LARGE, "adapter-too-large", String.valueOf(e.getMessage()));
    }

    @ExceptionHandler
    ProblemDetail gone(UnknownAdapterNameException e) {
        return ProblemException.problem(HttpStatus.NOT_FOUND, "adapter-unknown", String.valueOf(e.getMessage()));
    }
}
