package dev.tsumugi.launcher.runtime;

import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All ports, counted from the gateway's.
 *
 * @param gateway the only port that other machines may reach
 */
public record PortPlan(int gateway) {
    public static final int DEFAULT_GATEWAY = 8080;

    private static final int KAFKA_OFFSET = 1012;
    private static final int HIGHEST_OFFSET = KAFKA_OFFSET + 2;
    private static final int HIGHEST_PORT = 65_535;

    public PortPlan {
        if (gateway < 1 || gateway + HIGHEST_OFFSET > HIGHEST_PORT) {
            throw new LaunchException(
                    "TSUMUGI_PORT is " + gateway + "; it must be 1 to " + (HIGHEST_PORT - HIGHEST_OFFSET)
                            + ", because other ports up to " + HIGHEST_OFFSET + " above it are used too.");
        }
    }

    /** @param value of {@code TSUMUGI_PORT}; null or blank for the default */
    public static PortPlan of(@Nullable String value) {
        if (value == null || value.isBlank()) {
            return new PortPlan(DEFAULT_GATEWAY);
        }
        try {
            return new PortPlan(Integer.parseInt(value.strip()));
        } catch (NumberFormatException e) {
            throw new LaunchException("TSUMUGI_PORT is '" + value + "'; it must be a number, such as 8080.", e);
        }
    }

    public int of(Service service) {
        return gateway + service.portOffset();
    }

    public int kafka() {
        return gateway + KAFKA_OFFSET;
    }

    public int kafkaController() {
        return kafka() + 1;
    }

    public int postgres() {
        return kafka() + 2;
    }

    /** Every port with the name of who listens on it, the lowest first. */
    public Map<String, Integer> all() {
        Map<String, Integer> ports = new LinkedHashMap<>();
        Arrays.stream(Service.values())
                .sorted(Comparator.comparing(Service::portOffset))
                .forEach(service -> ports.put(service.title(), of(service)));
        ports.put("Kafka", kafka());
        ports.put("Kafka's controller", kafkaController());
        ports.put("PostgreSQL", postgres());
        return ports;
    }
}
