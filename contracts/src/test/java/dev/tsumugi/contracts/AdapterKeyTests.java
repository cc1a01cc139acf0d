package dev.tsumugi.contracts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterKeyTests {

    @Test
    void a_key_is_read_as_it_was_written_with_and_without_a_tenant() {
        AdapterKey own = new AdapterKey("acme", "support.v2");
        assertThat(AdapterKey.parse(own.toString())).isEqualTo(own);
        AdapterKey shared = AdapterKey.shared("grounded-reader");
        assertThat(AdapterKey.parse("/grounded-reader")).isEqualTo(shared);
        assertThat(shared.isShared()).isTrue();
        assertThat(own.isShared()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "acme", "acme/", "acme/a/b", "ac me/x", "acme/..", "acme/none", "acme/-x", "acme/é"})
    void what_is_no_key_is_refused(String key) {
        assertThatThrownBy(() -> AdapterKey.parse(key)).isInstanceOf(IllegalArgumentException.class);
    }
}
