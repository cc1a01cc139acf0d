package dev.tsumugi.generator.model;

import dev.tsumugi.contracts.api.GeneratorLoad;
import dev.tsumugi.engine.serve.EngineStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Tells how busy this replica is, for work that can wait. */
@RestController
class LoadController {
    private final ModelHost host;

    LoadController(ModelHost host) {
        this.host = host;
    }

    @GetMapping("/internal/load")
    GeneratorLoad load() {
        EngineStatus status = host.require().engine().status();
        return new GeneratorLoad(status.running(), status.waiting());
    }
}
