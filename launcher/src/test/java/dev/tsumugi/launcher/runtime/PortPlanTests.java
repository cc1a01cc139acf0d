package dev.tsumugi.launcher.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PortPlanTests {
    @Test
    void the_documented_ports_are_the_default() {
        PortPlan ports = PortPlan.of((String) null);

        assertThat(ports.gateway()).isEqualTo(8080);
        assertThat(ports.kafka()).isEqualTo(9092);
        assertThat(ports.kafkaController()).isEqualTo(9093);
        assertThat(ports.postgres()).isEqualTo(9094);
        assertThat(ports.of(Service.INGEST)).isEqualTo(8081);
        assertThat(ports.of(Service.EMBED)).isEqualTo(8082);
        assertThat(ports.of(Service.RETRIEVER)).isEqualTo(8083);
        assertThat(ports.of(Service.GENERATOR)).isEqualTo(8084);
        assertThat(ports.of(Service.TRAINER)).isEqualTo(8085);
    }

    @Test
    void no_two_parts_share_a_port() {
        assertThat(PortPlan.of("20000").all().values()).doesNotHaveDuplicates().hasSize(Service.values().length + 3);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-1", "64522", "99999", "eighty"})
    void a_port_that_leaves_no_room_for_the_others_is_refused(String port) {
        assertThatThrownBy(() -> PortPlan.of(port))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("TSUMUGI_PORT")
                .hasMessageContaining(port);
    }
}
