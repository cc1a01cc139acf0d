package dev.tsumugi.engine.train;

import dev.tsumugi.engine.train.TrainingListener.EvaluationReport;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** How far a run has come, beside the numbers that it changes. */
final class Progress {
    final List<Double> losses = new ArrayList<>();
    final List<EvaluationReport> evaluations = new ArrayList<>();
    int bestStep;
    double bestLoss = Double.POSITIVE_INFINITY;
    int withoutBetter;

    int step() {
        return losses.size();
    }

    void save(DataOutputStream out) throws IOException {
        out.writeInt(losses.size());
        for (double loss : losses) {
            out.writeDouble(loss);
        }
        out.writeInt(evaluations.size());
        for (EvaluationReport report : evaluations) {
            out.writeInt(report.step());
            out.writeDouble(report.loss());
            out.writeBoolean(report.best());
        }
        out.writeInt(bestStep);
        out.writeDouble(bestLoss);
        out.writeInt(withoutBetter);
    }

    static Progress load(DataInputStream in) throws IOException {
        Progress progress = new Progress();
        for (int i = in.readInt(); i > 0; i--) {
            progress.losses.add(in.readDouble());
        }
        for (int i = in.readInt(); i > 0; i--) {
            progress.evaluations.add(new EvaluationReport(in.readInt(), in.readDouble(), in.readBoolean()));
        }
        progress.bestStep = in.readInt();
        progress.bestLoss = in.readDouble();
        progress.withoutBetter = in.readInt();
        return progress;
    }
}
