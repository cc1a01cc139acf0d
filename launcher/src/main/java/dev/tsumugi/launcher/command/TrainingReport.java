package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.client.TrainingClient;
import dev.tsumugi.launcher.terminal.LossCurve;
import dev.tsumugi.launcher.terminal.Output;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import tools.jackson.databind.JsonNode;

/** Follows a training job to its end and tells how it goes. */
final class TrainingReport {
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(500);
    private static final Set<String> WORKING = Set.of("QUEUED", "PREPARING", "TRAINING", "EVALUATING");

    private final TrainingClient training;
    private final Output output;
    private String state = "";

    TrainingReport(TrainingClient training, Output output) {
        this.training = training;
        this.output = output;
    }

    /** True when the adapter was better and answers now. */
    boolean follow(JsonNode started) {
        String id = started.path("id").asString("");
        output.say("Job " + id + " (cancel it with DELETE /api/v1/training/jobs/" + id + ").");
        JsonNode job = started;
        while (true) {
            tell(job);
            if (!WORKING.contains(state)) {
                break;
            }
            LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
            job = training.job(id);
        }
        output.object(job);
        conclude(job);
        return state.equals("PROMOTED");
    }

    private void tell(JsonNode job) {
        String now = job.path("state").asString("");
        if (!now.equals(state)) {
            state = now;
            if (now.equals("QUEUED")) {
                output.say("Waiting for a trainer...");
            } else if (now.equals("TRAINING")) {
                for (JsonNode note : job.path("notes")) {
                    output.say("  " + note.asString(""));
                }
            }
        }
        JsonNode progress = job.path("progress");
        long done = progress.path("done").asLong(0);
        long total = progress.path("total").asLong(0);
        if (total > 0) {
            switch (state) {
                case "PREPARING" -> output.progress("  Fetching contexts", done, total, done + " of " + total);
                case "TRAINING" -> output.progress("  Training", done, total, training(job, done, total));
                case "EVALUATING" -> output.progress("  Asking held-out questions", done, total, done + " of " + total);
                default -> {}
            }
        }
    }

    private static String training(JsonNode job, long done, long total) {
        JsonNode progress = job.path("progress");
        JsonNode losses = job.path("losses").path("train");
        String loss = losses.isEmpty()
                ? ""
                : String.format(
                        Locale.ROOT,
                        ", loss %.3f",
                        losses.get(losses.size() - 1).path("loss").asDouble(0));
        return String.format(
                Locale.ROOT,
                "step %d of %d%s, %.0f tokens/s, %d s left",
                done,
                total,
                loss,
                progress.path("tokensPerSecond").asDouble(0),
                progress.path("remainingSeconds").asLong(0));
    }

    private void conclude(JsonNode job) {
        tellTrials(job.path("trials"));
        List<Double> losses = new ArrayList<>();
        job.path("losses")
                .path("train")
                .forEach(point -> losses.add(point.path("loss").asDouble(0)));
        List<String> curve = LossCurve.of(losses);
        if (!curve.isEmpty()) {
            output.say("Loss by step:");
            curve.forEach(output::say);
        }
        JsonNode report = job.path("report");
        if (report.isObject()) {
            output.say(String.format(
                    Locale.ROOT,
                    "%-26s %10s %10s",
                    "Held out: "
                            + (report.path("answerable").asInt()
                                    + report.path("unanswerable").asInt()) + " questions",
                    "champion",
                    "candidate"));
            for (String[] figure : new String[][] {
                {"f1", "F1 of answers"},
                {"exactMatch", "exact answers"},
                {"wrongRefusals", "wrong refusals"},
                {"rightRefusals", "right refusals"},
                {"rightCitations", "right citations"},
                {"loss", "loss"},
                {"replayLoss", "loss without documents"}
            }) {
                output.say(String.format(
                        Locale.ROOT,
                        "  %-24s %10s %10s",
                        figure[1],
                        figure(report.path("champion").path(figure[0])),
                        figure(report.path("candidate").path(figure[0]))));
            }
        }
        output.say(title() + " " + job.path("message").asString(""));
    }

    private void tellTrials(JsonNode trials) {
        if (trials.isEmpty()) {
            return;
        }
        output.say(String.format(
                Locale.ROOT,
                "%5s %5s %9s %-8s %6s %9s %12s  %s",
                "round",
                "rank",
                "rate",
                "base",
                "steps",
                "loss",
                "parameters",
                "targets"));
        for (JsonNode trial : trials) {
            output.say(String.format(
                    Locale.ROOT,
                    "%5d %5d %9.1e %-8s %6d %9s %,12d  %s",
                    trial.path("round").asInt(),
                    trial.path("rank").asInt(),
                    trial.path("learningRate").asDouble(),
                    trial.path("base").asString(""),
                    trial.path("steps").asInt(),
                    figure(trial.path("loss")),
                    trial.path("trainableParameters").asLong(),
                    String.join(
                            ",",
                            trial.path("targets")
                                    .valueStream()
                                    .map(JsonNode::asString)
                                    .toList())));
        }
    }

    private static String figure(JsonNode value) {
        return value.isNumber() ? String.format(Locale.ROOT, "%.3f", value.doubleValue()) : "-";
    }

    private String title() {
        return switch (state) {
            case "PROMOTED" -> "Promoted.";
            case "REJECTED" -> "Not promoted.";
            case "UNCHANGED" -> "Nothing to do.";
            case "REFUSED" -> "Refused.";
            case "CANCELLED" -> "";
            default -> "Failed.";
        };
    }
}
