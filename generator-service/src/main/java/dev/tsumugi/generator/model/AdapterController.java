package dev.tsumugi.generator.model;

import dev.tsumugi.engine.adapter.AdapterLimitException;
import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.platform.web.ProblemException;
import java.util.List;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Which adapters this replica serves, and the change to what their folders hold now. */
@RestController
@RequestMapping("/internal/adapters")
class AdapterController {
    private final ModelHost host;

    AdapterController(ModelHost host) {
        this.host = host;
    }

    /** One name and what it stands for. */
    record NamedAdapter(String name, String digest, int rank, long bytes) {
        static NamedAdapter of(String name, LoadedAdapter adapter) {
            return new NamedAdapter(name, adapter.digest(), adapter.rank(), adapter.bytes());
        }
    }

    @GetMapping
    List<NamedAdapter> list() {
        return host.require().adapters().all().entrySet().stream()
                .map(entry -> NamedAdapter.of(entry.getKey(), entry.getValue()))
                .toList();
    }

    /** Loads the folder of this name as it is now. */
    @PutMapping("/{name}")
    NamedAdapter load(@PathVariable String name) {
        try {
            return NamedAdapter.of(name, host.require().adapters().load(name));
        } catch (ModelFileException | IllegalArgumentException e) {
            throw ProblemException.badRequest("adapter-refused", String.valueOf(e.getMessage()));
        } catch (AdapterLimitException e) {
            throw new ProblemException(
                    HttpStatus.INSUFFICIENT_STORAGE, "adapter-no-room", String.valueOf(e.getMessage()), e);
        }
    }

    @DeleteMapping("/{name}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void remove(@PathVariable String name) {
        if (!host.require().adapters().remove(name)) {
            throw ProblemException.notFound("adapter-unknown", "There is no adapter named " + name + ".");
        }
    }
}
