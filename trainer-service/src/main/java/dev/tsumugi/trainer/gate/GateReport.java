package dev.tsumugi.trainer.gate;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Why a candidate was promoted, or was not.
 *
 * @param reasons in words, the deciding ones first
 * @param answerable held-out questions with an answer in their passages
 * @param unanswerable held-out questions without
 * @param f1 difference on answerable questions, candidate minus champion
 * @param refusals difference of right refusals; null without unanswerable questions
 * @param citations difference of right citations, where both cite; null where none does
 * @param retrieval of held-out questions, where the candidate brings a query adapter
 * @param margins that the decision was made with
 * @param samples a few questions with both answers, the most different first
 */
public record GateReport(
        boolean promoted,
        List<String> reasons,
        int answerable,
        int unanswerable,
        Scores candidate,
        Scores champion,
        PairedBootstrap f1,
        @Nullable PairedBootstrap refusals,
        @Nullable PairedBootstrap citations,
        @Nullable Retrieval retrieval,
        GateProperties margins,
        List<Sample> samples) {

    /**
     * @param name of the adapter with its digest, or of the bare model
     * @param f1 mean over answerable questions
     * @param exactMatch part of answerable questions
     * @param wrongRefusals part of answerable questions
     * @param rightRefusals part of unanswerable questions; null: there is none
     * @param rightCitations part of answers whose documents are known; null: there is none
     * @param loss mean over all questions
     * @param replayLoss mean over conversations that have nothing to do with the documents
     */
    public record Scores(
            String name,
            double f1,
            double exactMatch,
            double wrongRefusals,
            @Nullable Double rightRefusals,
            @Nullable Double rightCitations,
            double loss,
            double replayLoss) {}

    /**
     * @param questions that were asked of the passages of all held-out questions
     * @param limit how many of the best passages count as found
     * @param candidate part of the questions that find a passage with their answer
     * @param champion the same with what serves now
     * @param difference candidate minus champion
     */
    public record Retrieval(int questions, int limit, double candidate, double champion, PairedBootstrap difference) {

        /**
         * @param candidate [N] 1 for each question that finds its passage, else 0
         * @param champion [N] of the same questions
         */
        public static Retrieval of(int limit, double[] candidate, double[] champion) {
            return new Retrieval(
                    candidate.length,
                    limit,
                    Arrays.stream(candidate).average().orElseThrow(),
                    Arrays.stream(champion).average().orElseThrow(),
                    PairedBootstrap.of(candidate, champion, Gate.SEED));
        }
    }

    /** @param wanted empty: cannot be answered */
    public record Sample(String question, String wanted, String champion, String candidate) {}
}
