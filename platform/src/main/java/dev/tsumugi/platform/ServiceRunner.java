package dev.tsumugi.platform;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Properties;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;

/** Starts one service: its own configuration file name over the defaults in {@code platform-defaults.properties}. */
public final class ServiceRunner {
    private ServiceRunner() {}

    /** As {@link #start(Class, String, Map)} for a process of its own. */
    public static ConfigurableApplicationContext start(Class<?> application, String configName, String... arguments) {
        SpringApplication spring = new SpringApplication(application);
        Properties defaults = platformDefaults();
        defaults.setProperty("spring.config.name", configName);
        defaults.setProperty("spring.application.name", configName);
        spring.setDefaultProperties(defaults);
        return spring.run(arguments);
    }

    /**
     * @param configName name of the service and of its {@code .yml} file
     * @param properties win over the file and the environment
     */
    public static ConfigurableApplicationContext start(
            Class<?> application, String configName, Map<String, Object> properties) {
        String[] arguments = properties.entrySet().stream()
                .map(entry -> "--" + entry.getKey() + "=" + entry.getValue())
                .toArray(String[]::new);
        return start(application, configName, arguments);
    }

    private static Properties platformDefaults() {
        Properties defaults = new Properties();
        try (InputStream in = ServiceRunner.class.getResourceAsStream("/platform-defaults.properties")) {
            if (in == null) {
                throw new IllegalStateException("platform-defaults.properties is missing from the class path");
            }
            defaults.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return defaults;
    }
}
