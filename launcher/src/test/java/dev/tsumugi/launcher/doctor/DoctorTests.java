package dev.tsumugi.launcher.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.embedded.Ports;
import dev.tsumugi.launcher.runtime.PortPlan;
import dev.tsumugi.launcher.runtime.StateFolder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTests {
    @TempDir
    Path folder;

    @Test
    void whatever_is_not_well_comes_with_how_to_mend_it() {
        assertThat(new Doctor(home(), freePorts(), Map.of()).examine())
                .allSatisfy(
                        finding -> assertThat(finding.mend() != null).isEqualTo(finding.state() != Finding.State.OK))
                .extracting(Finding::what)
                .contains(
                        "Java",
                        "processor",
                        "memory",
                        "ports",
                        "state folder",
                        "pip",
                        "PostgreSQL",
                        "language model",
                        "embedding model",
                        "GPU",
                        "Tsumugi");
    }

    @Test
    void a_busy_port_is_named() throws IOException {
        PortPlan ports = freePorts();
        try (ServerSocket socket = new ServerSocket(ports.kafka(), 1, InetAddress.getLoopbackAddress())) {
            Finding finding = find("ports", ports, Map.of());

            assertThat(finding.state()).isEqualTo(Finding.State.WRONG);
            assertThat(finding.found()).contains(socket.getLocalPort() + " for Kafka");
            assertThat(finding.mend()).contains("TSUMUGI_PORT");
        }
    }

    @Test
    void a_model_that_is_not_there_is_named_with_its_variable() {
        assertThat(find("language model", freePorts(), Map.of("TSUMUGI_MODEL", "/no/model.gguf")))
                .satisfies(finding -> {
                    assertThat(finding.state()).isEqualTo(Finding.State.WRONG);
                    assertThat(finding.found()).contains("TSUMUGI_MODEL is /no/model.gguf");
                });
        assertThat(find("embedding model", freePorts(), Map.of("TSUMUGI_EMBEDDING_MODEL", folder.toString()))
                        .found())
                .contains("model.onnx");
    }

    @Test
    void a_key_that_others_can_read_is_told() throws IOException {
        Files.writeString(home().adminKeyFile(), "a-key-that-is-long-enough\n");
        Files.setPosixFilePermissions(home().adminKeyFile(), PosixFilePermissions.fromString("rw-r--r--"));

        Finding finding = find("admin key", freePorts(), Map.of());

        assertThat(finding.state()).isEqualTo(Finding.State.POOR);
        assertThat(finding.mend()).startsWith("chmod 600 ");
    }

    private Finding find(String what, PortPlan ports, Map<String, String> environment) {
        return new Doctor(home(), ports, environment)
                .examine().stream()
                        .filter(finding -> finding.what().equals(what))
                        .findFirst()
                        .orElseThrow();
    }

    private StateFolder home() {
        return new StateFolder(folder);
    }

    private static PortPlan freePorts() {
        return new PortPlan(Ports.free(1020));
    }
}
