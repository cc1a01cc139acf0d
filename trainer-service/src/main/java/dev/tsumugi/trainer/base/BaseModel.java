package dev.tsumugi.trainer.base;

import dev.tsumugi.engine.files.ModelDigest;
import dev.tsumugi.engine.files.ModelStore;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** The model that adapters are made for; found and read once, when it is first needed. */
@Component
public class BaseModel {
    private final String name;
    private @Nullable Located located;

    /** @param digest {@link ModelDigest} */
    public record Located(Path path, String digest) {}

    /** @param name as the generator names it; empty: there is none, and nothing can be trained */
    BaseModel(@Value("${tsumugi.trainer.model:}") String name) {
        this.name = name;
    }

    public boolean isNamed() {
        return !name.isBlank();
    }

    /** Whether it is a file of this size on this machine, as far as one sees without fetching or reading it. */
    public boolean isFileOf(long bytes) {
        Path file = Path.of(name);
        return Files.isRegularFile(file) && file.toFile().length() == bytes;
    }

    /** @throws dev.tsumugi.engine.files.ModelFileException when it cannot be found */
    public synchronized Located locate() {
        Located known = located;
        if (known == null) {
            Path path = ModelStore.ofEnvironment((file, done, total) -> {}).locate(name);
            known = new Located(path, ModelDigest.of(path));
            located = known;
        }
        return known;
    }
}
