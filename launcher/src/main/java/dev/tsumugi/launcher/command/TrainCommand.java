package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.client.TrainingClient;
import dev.tsumugi.launcher.runtime.LaunchException;
import dev.tsumugi.launcher.terminal.Output;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

@Command(
        name = "train",
        description = {
            "Train an adapter on questions and their answers, hold it against the one that answers now, and let it answer if it is better.",
            "Exit code 1 also when it is not better; the reasons are printed."
        })
public final class TrainCommand extends Verb {
    private static final Map<String, Object> SWEEP =
            Map.of("ranks", List.of(4, 8, 16), "learningRates", List.of(1e-4, 3e-4, 1e-3));

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description =
                    "Examples: JSON Lines with question, context and answer; Alpaca; or SQuAD. Left out: those that are stored already.")
    @Nullable
    Path data;

    @Option(
            names = "--adapter",
            paramLabel = "NAME",
            description = "What the adapter is called (default ${DEFAULT-VALUE}).")
    String adapter = "documents";

    @Option(
            names = "--schedule",
            paramLabel = "CRON",
            description =
                    "Train at these times from now on, such as \"0 3 * * *\" for three in the morning, instead of now.")
    @Nullable
    String cron;

    @Option(names = "--epochs", paramLabel = "N", description = "Times that every example is seen.")
    @Nullable
    Integer epochs;

    @Option(names = "--rank", paramLabel = "N", description = "Rank of the adapter.")
    @Nullable
    Integer rank;

    @Option(names = "--learning-rate", paramLabel = "RATE", description = "At its peak.")
    @Nullable
    Double learningRate;

    @Option(names = "--targets", paramLabel = "NAME", split = ",", description = "Linear layers, or all-linear.")
    @Nullable
    List<String> targets;

    @Option(names = "--base", paramLabel = "BASE", description = "served: the weights as they are; nf4: in 4 bits.")
    @Nullable
    String base;

    @Option(
            names = "--objective",
            paramLabel = "OBJECTIVE",
            description = "sft: all passages in one prompt; rag-sequence: each passage alone, and a query adapter.")
    @Nullable
    String objective;

    @Option(
            names = "--sweep",
            description = "Try several ranks and learning rates for a few steps first, and go on with the best.")
    boolean sweep;

    @Override
    int run(Output output) {
        TrainingClient training = new TrainingClient(gateway());
        if (data != null) {
            if (!Files.isRegularFile(data)) {
                throw new LaunchException("There is no file " + data + ".");
            }
            JsonNode stored = training.addExamples(data);
            output.object(stored);
            output.say(stored.path("received").asInt() + " examples read, "
                    + stored.path("changed").asInt() + " of them new or changed; "
                    + stored.path("total").asLong() + " are stored.");
        }
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("adapter", adapter);
        request.put("settings", settings());
        if (cron != null) {
            request.put("cron", cron);
            JsonNode schedule = training.schedule(request);
            output.object(schedule);
            output.say("Scheduled as " + schedule.path("name").asString("") + ". The next time is "
                    + schedule.path("next").asString("never") + ".");
            return DONE;
        }
        return new TrainingReport(training, output).follow(training.start(request)) ? DONE : FAILED;
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new LinkedHashMap<>();
        put(settings, "objective", objective);
        put(settings, "epochs", epochs);
        put(settings, "rank", rank);
        put(settings, "learningRate", learningRate);
        put(settings, "targets", targets);
        put(settings, "base", base);
        if (sweep) {
            settings.put("sweep", SWEEP);
        }
        return settings;
    }

    private static void put(Map<String, Object> settings, String name, @Nullable Object value) {
        if (value != null) {
            settings.put(name, value);
        }
    }
}
