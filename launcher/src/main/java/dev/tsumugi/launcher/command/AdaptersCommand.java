package dev.tsumugi.launcher.command;

import dev.tsumugi.engine.adapter.MergedModel;
import dev.tsumugi.engine.adapter.PeftAdapter;
import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.client.PeftZip;
import dev.tsumugi.launcher.runtime.LaunchException;
import dev.tsumugi.launcher.terminal.Output;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

@Command(
        name = "adapters",
        description = "List the adapters and which of them answers, or change that.",
        subcommands = {
            AdaptersCommand.ListAdapters.class,
            AdaptersCommand.Import.class,
            AdaptersCommand.Promote.class,
            AdaptersCommand.Rollback.class,
            AdaptersCommand.Delete.class,
            AdaptersCommand.Merge.class
        })
public final class AdaptersCommand extends Verb {
    private static final int SHOWN_DIGITS = 12;
    private static final Duration SWAP_LIMIT = Duration.ofSeconds(15);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);

    @Override
    int run(Output output) {
        return list(output);
    }

    private static int list(Output output) {
        JsonNode adapters = gateway().adapters().path("adapters");
        if (adapters.isEmpty()) {
            output.say("There is no adapter yet. Import one: ./tsumugi adapters import FOLDER --name NAME");
        }
        for (JsonNode adapter : adapters) {
            output.object(adapter);
            show(adapter, output);
        }
        return DONE;
    }

    private static void show(JsonNode adapter, Output output) {
        JsonNode canary = adapter.path("canary");
        output.say(adapter.path("name").asString("") + "  " + digits(adapter.path("digest"))
                + (adapter.path("promoted").asBoolean(false) ? "  promoted" : "")
                + (adapter.path("shared").asBoolean(false) ? "  comes with Tsumugi" : "")
                + (canary.isObject()
                        ? "  canary " + digits(canary.path("digest")) + " for "
                                + canary.path("percent").asInt() + " %"
                        : ""));
        output.say("  last change: " + adapter.path("note").asString(""));
        for (JsonNode replica : adapter.path("replicas")) {
            String error = replica.path("error").asString("");
            output.say("  " + replica.path("replica").asString("") + " serves "
                    + digits(replica.path("digest"))
                    + (error.isEmpty() ? "" : ", not " + digits(replica.path("refused")) + ": " + error));
        }
    }

    private static String digits(JsonNode digest) {
        String text = digest.asString("");
        return text.isEmpty() ? "nothing" : text.substring(0, Math.min(SHOWN_DIGITS, text.length()));
    }

    /** Shows what a change has led to, once every replica is there or has refused it. */
    private static int showSwap(GatewayClient gateway, JsonNode changed, Output output) {
        String name = changed.path("name").asString("");
        long version = changed.path("version").asLong();
        long deadline = System.nanoTime() + SWAP_LIMIT.toNanos();
        JsonNode now = changed;
        while (!isSettled(now, version) && System.nanoTime() < deadline) {
            LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
            now = gateway.adapter(name);
        }
        output.object(now);
        show(now, output);
        boolean served = now.path("replicas")
                .valueStream()
                .allMatch(replica -> replica.path("error").asString("").isEmpty());
        return isSettled(now, version) && served ? DONE : FAILED;
    }

    /** A later version is somebody else's change, which has taken the place of ours. */
    private static boolean isSettled(JsonNode adapter, long version) {
        return !adapter.path("replicas").isEmpty()
                && adapter.path("replicas")
                        .valueStream()
                        .allMatch(replica -> replica.path("version").asLong(0) >= version);
    }

    @Command(name = "list", description = "List the adapters, what they stand for, and which replica serves what.")
    static final class ListAdapters extends Verb {
        @Override
        int run(Output output) {
            return list(output);
        }
    }

    @Command(
            name = "import",
            description = {
                "Import a LoRA adapter that PEFT has saved.",
                "It answers where its name is asked for; promote it to have it answer everywhere."
            })
    static final class Import extends Verb {
        @Parameters(paramLabel = "FOLDER", description = "The PEFT folder, or a zip file of one.")
        Path path = Path.of(".");

        @Option(names = "--name", paramLabel = "NAME", description = "Its name (default: that of the folder).")
        @Nullable
        String name;

        @Option(
                names = "--canary",
                paramLabel = "PERCENT",
                description = "Of the requests for a name that is known already (default: all).")
        int canary;

        @Override
        int run(Output output) {
            Path source = IngestCommand.workingFolder().resolve(path);
            try {
                if (!Files.isDirectory(source)) {
                    return send(source, source, output);
                }
                Path zip = Files.createTempFile("tsumugi-adapter", ".zip");
                try {
                    PeftZip.write(source, zip);
                    return send(source, zip, output);
                } finally {
                    Files.deleteIfExists(zip);
                }
            } catch (IOException e) {
                throw new LaunchException("Cannot read the adapter " + source + ": " + e, e);
            }
        }

        private int send(Path source, Path zip, Output output) {
            GatewayClient gateway = gateway();
            String called = name != null
                    ? name
                    : String.valueOf(source.normalize().getFileName()).replaceFirst("\\.zip$", "");
            return showSwap(gateway, gateway.importAdapter(called, zip, canary), output);
        }
    }

    @Command(
            name = "promote",
            description = "Have an adapter answer where none is named; a canary of it becomes the adapter.")
    static final class Promote extends Verb {
        @Parameters(paramLabel = "NAME", description = "Of the adapter.")
        String name = "";

        @Option(names = "--digest", paramLabel = "DIGEST", description = "One of its versions; its first digits do.")
        @Nullable
        String digest;

        @Option(
                names = "--canary",
                paramLabel = "PERCENT",
                description = "Try this version on a part of the requests for the name.")
        @Nullable
        Integer canary;

        @Override
        int run(Output output) {
            Map<String, Object> choice = new HashMap<>();
            if (digest != null) {
                choice.put("digest", digest);
            }
            if (canary != null) {
                choice.put("canary", canary);
            }
            GatewayClient gateway = gateway();
            return showSwap(gateway, gateway.promoteAdapter(name, choice), output);
        }
    }

    @Command(
            name = "rollback",
            description = "Take a canary back, or return to what the name stood for before, on all replicas.")
    static final class Rollback extends Verb {
        @Parameters(paramLabel = "NAME", description = "Of the adapter.")
        String name = "";

        @Override
        int run(Output output) {
            GatewayClient gateway = gateway();
            return showSwap(gateway, gateway.rollBackAdapter(name), output);
        }
    }

    @Command(name = "delete", description = "Forget an adapter and all its versions.")
    static final class Delete extends Verb {
        @Parameters(paramLabel = "NAME", description = "Of the adapter.")
        String name = "";

        @Override
        int run(Output output) {
            gateway().deleteAdapter(name);
            output.say(name + " is deleted.");
            output.object("deleted", name);
            return DONE;
        }
    }

    @Command(
            name = "merge",
            description = "Write a model with an adapter worked into its weights, for programs that know no adapters.")
    static final class Merge extends Verb {
        @Parameters(paramLabel = "FOLDER", description = "The PEFT folder.")
        Path folder = Path.of(".");

        @Option(
                names = "--model",
                required = true,
                paramLabel = "MODEL",
                description = "The model that it was trained on: a folder with config.json and safetensors files.")
        Path model = Path.of(".");

        @Option(names = "--to", required = true, paramLabel = "TARGET", description = "A new folder.")
        Path target = Path.of(".");

        @Override
        int run(Output output) {
            Path here = IngestCommand.workingFolder();
            Path written = here.resolve(target);
            try (PeftAdapter adapter = PeftAdapter.open(here.resolve(folder))) {
                MergedModel.write(here.resolve(model), adapter, written);
            } catch (IOException e) {
                throw new LaunchException("Cannot write " + written + ": " + e, e);
            }
            output.say("The merged model is in " + written + ".");
            output.object("model", written.toString());
            return DONE;
        }
    }
}
