package dev.tsumugi.engine.train;

import java.util.List;

/**
 * Sequences side by side, none of which sees another.
 *
 * @param tokens [T]
 * @param positions [T] of each token in its sequence
 * @param starts [S + 1] first token of each sequence, and T
 * @param targetRows [R] tokens whose next one is a target, ascending
 * @param targets [R] these next ones
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record MicroBatch(int[] tokens, int[] positions, int[] starts, int[] targetRows, int[] targets) {

    static MicroBatch of(List<TrainingSequence> sequences) {
        int size = 0;
        int wanted = 0;
        for (TrainingSequence sequence : sequences) {
            size += sequence.tokens().length;
            wanted += sequence.targetCount();
        }
        MicroBatch batch = new MicroBatch(
                new int[size], new int[size], new int[sequences.size() + 1], new int[wanted], new int[wanted]);
        int at = 0;
        int row = 0;
        for (int s = 0; s < sequences.size(); s++) {
            TrainingSequence sequence = sequences.get(s);
            batch.starts[s] = at;
            for (int t = 0; t < sequence.tokens().length; t++, at++) {
                batch.tokens[at] = sequence.tokens()[t];
                batch.positions[at] = t;
                if (t > 0 && sequence.targets()[t]) {
                    batch.targetRows[row] = at - 1;
                    batch.targets[row++] = sequence.tokens()[t];
                }
            }
        }
        batch.starts[sequences.size()] = at;
        return batch;
    }

    int size() {
        return tokens.length;
    }
}
