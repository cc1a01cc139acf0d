package dev.tsumugi.engine.train;

import java.util.List;

/**
 * A question, its answer, and passages that were retrieved for it: what {@link LoraTraining#runRagSequence} learns from.
 *
 * @param id names it in reports
 * @param question its vector [D], unit length
 * @param passages the K best, in any order
 */
@SuppressWarnings("ArrayRecordComponent") // compared by content where it matters
public record PassageExample(String id, float[] question, List<Passage> passages) {

    /**
     * One passage.
     *
     * @param sequence prompt of the question with this passage alone, and the answer, which is the same for all passages
     * @param vector [D], unit length
     */
    @SuppressWarnings("ArrayRecordComponent") // compared by content where it matters
    public record Passage(TrainingSequence sequence, float[] vector) {}

    /** @throws IllegalArgumentException without passages, or for vectors of different lengths */
    public PassageExample {
        passages = List.copyOf(passages);
        if (passages.isEmpty()) {
            throw new IllegalArgumentException("example " + id + " has no passage");
        }
        for (Passage passage : passages) {
            if (passage.vector().length != question.length) {
                throw new IllegalArgumentException("example " + id + " has a question of " + question.length
                        + " dimensions and a passage of " + passage.vector().length);
            }
        }
    }

    int targetCount() {
        return passages.getFirst().sequence().targetCount();
    }

    int tokens() {
        return passages.stream().mapToInt(p -> p.sequence().tokens().length).sum();
    }
}
