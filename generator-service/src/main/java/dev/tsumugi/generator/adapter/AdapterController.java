package dev.tsumugi.generator.adapter;

import dev.tsumugi.contracts.event.AdapterReport;
import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.generator.model.ModelHost;
import dev.tsumugi.platform.web.ProblemException;
import java.io.IOException;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** What this replica serves, and whether its model can use an adapter that is in the store. */
@RestController
@RequestMapping("/internal/adapters")
class AdapterController {
    private final RegistryFollower follower;
    private final ModelHost host;

    AdapterController(RegistryFollower follower, ModelHost host) {
        this.follower = follower;
        this.host = host;
    }

    /**
     * An adapter that this model can use.
     *
     * @param baseDigest of the model
     * @param layers how many linear layers it changes
     */
    record Usable(String digest, String baseDigest, int rank, int layers) {}

    @GetMapping
    AdapterReport report() {
        return follower.report();
    }

    @PostMapping("/{digest}/check")
    Usable check(@PathVariable String digest) {
        try {
            LoadedAdapter adapter = follower.staging().check(digest);
            return new Usable(digest, host.require().digest(), adapter.rank(), adapter.layers());
        } catch (AdapterRefusedException e) {
            throw ProblemException.badRequest("adapter-refused", String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new ProblemException(
                    HttpStatus.SERVICE_UNAVAILABLE, "adapter-store", String.valueOf(e.getMessage()), e);
        }
    }
}
