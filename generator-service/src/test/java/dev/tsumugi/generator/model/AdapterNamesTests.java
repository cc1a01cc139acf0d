package dev.tsumugi.generator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.contracts.AdapterKey;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class AdapterNamesTests {
    @Test
    void a_name_may_try_what_it_stands_for_already() {
        AdapterNames.Canary canary = new AdapterNames.Canary("a1", 10, new CanaryHealth());
        AdapterNames.Named named =
                new AdapterNames.Named(new AdapterKey("acme", "support"), 2, "a1", canary, false, Instant.EPOCH);
        assertThat(named.digests()).containsExactly("a1");
    }
}
