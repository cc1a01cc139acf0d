package dev.tsumugi.generator.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.argThat;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.contracts.event.AdapterRegistration;
import dev.tsumugi.generator.model.AdapterNames;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** The memory of a machine cannot be used up in a test without harm to the others, so that an error is only played here. */
class AdapterSwapsTests {
    private static final String BASE = "b".repeat(64);

    private final AdapterNames names = mock(AdapterNames.class);
    private final AdapterStaging staging = mock(AdapterStaging.class);
    private final AtomicLong nanos = new AtomicLong();
    private final AdapterSwaps swaps = new AdapterSwaps(names, staging, nanos::get);

    @Test
    void an_error_with_one_adapter_is_reported_and_tried_again_and_the_others_are_brought() throws Exception {
        String large = "1".repeat(64);
        String small = "2".repeat(64);
        when(staging.stage(large, BASE))
                .thenThrow(new OutOfMemoryError("Cannot reserve 1 bytes of direct buffer memory"))
                .thenReturn(mock(AdapterNames.Hold.class));
        when(staging.stage(small, BASE)).thenReturn(mock(AdapterNames.Hold.class));
        swaps.register(new AdapterKey("t", "large"), registration("large", large));
        swaps.register(new AdapterKey("t", "small"), registration("small", small));

        assertThat(swaps.run()).isTrue();
        verify(names).put(argThat(named -> named.digest().equals(small)));
        assertThat(swaps.report())
                .anySatisfy(served -> assertThat(served.error()).contains("OutOfMemoryError"));
        assertThat(swaps.isSettled()).isFalse();

        nanos.addAndGet(Duration.ofSeconds(1).toNanos());
        swaps.run();
        verify(names).put(argThat(named -> named.digest().equals(large)));
        assertThat(swaps.isSettled()).isTrue();
    }

    private static AdapterRegistration registration(String name, String digest) {
        return new AdapterRegistration(
                AdapterRegistration.SCHEMA_VERSION,
                "t",
                name,
                1,
                digest,
                BASE,
                List.of(),
                false,
                null,
                null,
                Map.of(),
                Instant.EPOCH);
    }
}
