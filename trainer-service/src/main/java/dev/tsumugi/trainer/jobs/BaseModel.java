package dev.tsumugi.trainer.jobs;

import dev.tsumugi.engine.files.ModelDigest;
import dev.tsumugi.engine.files.ModelStore;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The model that adapters are made for; found and read once, when the first job needs it. */
final class BaseModel {
    private final String name;
    private @Nullable Located located;

    /** @param digest {@link ModelDigest} */
    record Located(Path path, String digest) {}

    BaseModel(String name) {
        this.name = name;
    }

    boolean isNamed() {
        return !name.isBlank();
    }

    /** @throws dev.tsumugi.engine.files.ModelFileException when it cannot be found */
    synchronized Located locate() {
        Located known = located;
        if (known == null) {
            Path path = ModelStore.ofEnvironment((file, done, total) -> {}).locate(name);
            known = new Located(path, ModelDigest.of(path));
            located = known;
        }
        return known;
    }
}
