package dev.tsumugi.trainer.adapters;

import dev.tsumugi.platform.adapters.AdapterStore;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import java.nio.file.Path;
import org.springframework.core.io.FileSystemResource;
import org.springframework.core.io.Resource;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/** Stored adapters for generators that do not share the folder. Of any tenant: the gateway has no way here. */
@RestController
class AdapterStoreController {
    private final StoredAdapters store;

    AdapterStoreController(StoredAdapters store) {
        this.store = store;
    }

    @GetMapping("/internal/adapter-store/{digest}/{file}")
    ResponseEntity<Resource> file(@PathVariable String digest, @PathVariable String file) throws IOException {
        Path folder = store.find(digest).orElse(null);
        if (folder == null || !AdapterStore.FILES.contains(file)) {
            throw ProblemException.notFound("adapter-unknown", "The store has no file " + file + " of that adapter.");
        }
        return ResponseEntity.ok()
                .contentType(MediaType.APPLICATION_OCTET_STREAM)
                .body(new FileSystemResource(folder.resolve(file)));
    }
}
