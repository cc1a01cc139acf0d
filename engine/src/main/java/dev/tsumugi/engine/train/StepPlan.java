package dev.tsumugi.engine.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Which sequences each step of a run sees, in which micro-batches; decided by settings, seed and data alone, before the first step.
 *
 * @param steps of micro-batches of indices into the training set
 * @param epochs [steps] the epoch of each step, from 1
 */
record StepPlan(List<List<int[]>> steps, List<Integer> epochs) {
    /** Micro-batches that are filled at the same time: more fill better, fewer keep the order more random. */
    private static final int OPEN = 8;

    static StepPlan of(List<TrainingSequence> sequences, TrainingSettings settings) {
        List<List<int[]>> steps = new ArrayList<>();
        List<Integer> epochs = new ArrayList<>();
        for (int epoch = 1; epoch <= settings.epochs(); epoch++) {
            List<Integer> order = new ArrayList<>();
            for (int i = 0; i < sequences.size(); i++) {
                order.add(i);
            }
            Collections.shuffle(order, new Random(settings.seed() * 1_000_003 + epoch));
            List<int[]> batches = settings.packing()
                    ? packed(order, sequences, settings.microBatchTokens())
                    : order.stream().map(i -> new int[] {i}).toList();
            for (int from = 0; from < batches.size(); from += settings.gradientAccumulation()) {
                if (settings.maxSteps() > 0 && steps.size() == settings.maxSteps()) {
                    return new StepPlan(steps, epochs);
                }
                steps.add(List.copyOf(
                        batches.subList(from, Math.min(batches.size(), from + settings.gradientAccumulation()))));
                epochs.add(epoch);
            }
        }
        return new StepPlan(steps, epochs);
    }

    /** Micro-batches of at most so many tokens: each sequence goes to the first open one that has room. */
    static List<int[]> packed(List<Integer> order, List<TrainingSequence> sequences, int tokens) {
        List<int[]> done = new ArrayList<>();
        List<List<Integer>> open = new ArrayList<>();
        List<Integer> filled = new ArrayList<>();
        for (int i : order) {
            int length = sequences.get(i).tokens().length;
            int at = 0;
            while (at < open.size() && filled.get(at) + length > tokens) {
                at++;
            }
            if (at == OPEN) {
                int fullest = filled.indexOf(Collections.max(filled));
                done.add(indices(open.remove(fullest)));
                filled.remove(fullest);
                at = open.size();
            }
            if (at == open.size()) {
                open.add(new ArrayList<>());
                filled.add(0);
            }
            open.get(at).add(i);
            filled.set(at, filled.get(at) + length);
        }
        open.forEach(batch -> done.add(indices(batch)));
        return done;
    }

    private static int[] indices(List<Integer> batch) {
        return batch.stream().mapToInt(i -> i).toArray();
    }

    int count() {
        return steps.size();
    }

    boolean endsEpoch(int step) {
        return step == count() || epochs.get(step) != (int) epochs.get(step - 1);
    }
}
