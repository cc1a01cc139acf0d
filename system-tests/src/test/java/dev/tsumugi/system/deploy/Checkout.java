package dev.tsumugi.system.deploy;

import java.nio.file.Files;
import java.nio.file.Path;

/** The folder that this project is checked out to. */
final class Checkout {
    private Checkout() {}

    static Path file(String name) {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.isRegularFile(folder.resolve("docker-compose.yml"))) {
                return folder.resolve(name);
            }
        }
        throw new IllegalStateException(
                "no docker-compose.yml above " + Path.of("").toAbsolutePath());
    }
}
