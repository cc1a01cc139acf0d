package dev.tsumugi.launcher.client;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Packs the two files of a PEFT folder. */
public final class PeftZip {
    private static final List<String> FILES = List.of("adapter_config.json", "adapter_model.safetensors");

    private PeftZip() {}

    /** @throws GatewayException when one of them is missing */
    public static void write(Path folder, Path target) throws IOException {
        try (OutputStream out = Files.newOutputStream(target);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            for (String name : FILES) {
                Path file = folder.resolve(name);
                if (!Files.isRegularFile(file)) {
                    throw new GatewayException(
                            0,
                            folder + " holds no " + name + ". Name a folder that PEFT's save_pretrained has written.",
                            null);
                }
                zip.putNextEntry(new ZipEntry(name));
                Files.copy(file, zip);
                zip.closeEntry();
            }
        }
    }
}
