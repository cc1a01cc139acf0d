package dev.tsumugi.trainer.gate;

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

    /** @param wanted empty: cannot be answered */
    public record Sample(String question, String wanted, String champion, String candidate) {}
}
