package dev.tsumugi.engine.files;

import dev.tsumugi.engine.kernels.RopeLayout;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A model in a folder as published on the Hugging Face hub: {@code config.json} and safetensors, in one file or in shards with an index. */
public final class SafetensorsModelFiles implements ModelFiles {
    static final String CONFIG = "config.json";
    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";
    private static final long MAX_INDEX_BYTES = 32L << 20;
    /** A shard lies in the folder itself: nothing from a file may name a path. */
    private static final Pattern SHARD_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\\.safetensors");

    private final Path folder;
    private final ModelConfig config;
    private final Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
    private final Map<String, SafetensorsFile> shardOf = new HashMap<>();

    private SafetensorsModelFiles(Path folder) {
        this.folder = folder;
        this.config = ConfigJson.read(folder.resolve(CONFIG), modelName(folder));
    }

    /** @throws ModelFileException when a file is missing or unsound, or the model is one that the engine does not run */
    public static SafetensorsModelFiles open(Path folder) {
        SafetensorsModelFiles files = new SafetensorsModelFiles(folder);
        try {
            files.openWeights();
            return files;
        } catch (RuntimeException e) {
            files.close();
            throw e;
        }
    }

    private static String modelName(Path folder) {
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return name == null ? "model" : name.toString();
    }

    private void openWeights() {
        Path index = folder.resolve(INDEX);
        if (Files.exists(index)) {
            openShards(index);
            return;
        }
        SafetensorsFile file = SafetensorsFile.open(singleFile());
        shards.put(SINGLE, file);
        file.names().forEach(name -> shardOf.put(name, file));
    }

    private Path singleFile() {
        List<Path> found;
        try (Stream<Path> files = Files.list(folder)) {
            found = files.filter(p -> p.toString().endsWith(".safetensors")).toList();
        } catch (IOException e) {
            throw new ModelFileException(folder, "cannot be listed: " + e, "Check its permissions", e);
        }
        if (found.contains(folder.resolve(SINGLE))) {
            return folder.resolve(SINGLE);
        }
        if (found.size() == 1) {
            return found.getFirst();
        }
        throw new ModelFileException(
                folder,
                found.isEmpty()
                        ? "has no safetensors file"
                        : "has " + found.size() + " safetensors files and no " + INDEX,
                "Fetch " + SINGLE + ", or all shards with their index; weights in other formats must be converted");
    }

    private void openShards(Path index) {
        JsonNode map = ModelJson.object(index, MAX_INDEX_BYTES).get("weight_map");
        if (map == null || !map.isObject()) {
            throw ModelFileException.damaged(index, "has no object 'weight_map'");
        }
        for (Map.Entry<String, JsonNode> entry : map.properties()) {
            String shard = entry.getValue().isString() ? entry.getValue().asString() : "";
            if (!SHARD_NAME.matcher(shard).matches()) {
                throw ModelFileException.damaged(
                        index,
                        "tensor '" + entry.getKey() + "' is said to be in '" + shard
                                + "', which is no plain file name");
            }
            SafetensorsFile file = shards.get(shard);
            if (file == null) {
                file = SafetensorsFile.open(folder.resolve(shard));
                shards.put(shard, file);
            }
            if (!file.names().contains(entry.getKey())) {
                throw ModelFileException.damaged(
                        index, "tensor '" + entry.getKey() + "' is said to be in '" + shard + "', but is not");
            }
            shardOf.put(entry.getKey(), file);
        }
    }

    public Path folder() {
        return folder;
    }

    /** Names of all tensors of all shards. */
    public Set<String> tensorNames() {
        return Collections.unmodifiableSet(shardOf.keySet());
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Optional<Tensor> tensor(String name) {
        @Nullable SafetensorsFile file = shardOf.get(name);
        return file == null ? Optional.empty() : file.tensor(name);
    }

    @Override
    public RopeLayout ropeLayout() {
        return RopeLayout.HALVES;
    }

    @Override
    public void unload() {
        shards.values().forEach(SafetensorsFile::unload);
    }

    @Override
    public void close() {
        shards.values().forEach(SafetensorsFile::close);
    }
}
