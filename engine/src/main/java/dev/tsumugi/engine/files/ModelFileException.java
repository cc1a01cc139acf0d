package dev.tsumugi.engine.files;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A model file that cannot be used: says which file, what is wrong with it and what to do. */
public final class ModelFileException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient @Nullable Path file;

    /**
     * @param problem what is wrong, without a full stop
     * @param advice what to do, without a full stop
     */
    public ModelFileException(Path file, String problem, String advice) {
        this(file, problem, advice, null);
    }

    public ModelFileException(Path file, String problem, String advice, @Nullable Throwable cause) {
        super(file + ": " + problem + ". " + advice + ".", cause);
        this.file = file;
    }

    /** The file or folder in question; null only after serialization. */
    public @Nullable Path file() {
        return file;
    }

    static final String DAMAGED = "The file is damaged or incomplete: fetch it again";

    static ModelFileException damaged(Path file, String problem) {
        return new ModelFileException(file, problem, DAMAGED);
    }
}
