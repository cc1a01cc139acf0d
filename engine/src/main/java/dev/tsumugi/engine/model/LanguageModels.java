package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.tensor.DType;

/** Makes a model of files and a backend. */
public final class LanguageModels {
    private LanguageModels() {}

    /**
     * Loads all weights. The model owns {@code files} from here on, and closes them with itself or when loading fails; the backend stays the
     * caller's.
     *
     * @param cacheStorage of keys and values: F32 or BF16
     * @throws IllegalArgumentException when a weight is missing, has an unexpected shape or a type that no kernel reads
     */
    public static LanguageModel load(ModelFiles files, Backend backend, DType cacheStorage) {
        WeightLoader loader = new WeightLoader(files, backend);
        try {
            LanguageModel model = switch (files.config().family()) {
                case LLAMA -> new LlamaModel(loader, cacheStorage);
                case GPT_NEOX -> new GptNeoxModel(loader, cacheStorage);
            };
            files.unload();
            return model;
        } catch (RuntimeException | Error e) {
            loader.close();
            throw e;
        }
    }
}
