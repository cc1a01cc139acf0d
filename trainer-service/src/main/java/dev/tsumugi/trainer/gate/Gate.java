package dev.tsumugi.trainer.gate;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether a candidate takes the champion's place. It must be clearly better on one side, answers or refusals, and not worse on the
 * other: a model that always refuses is right on one side only, and so is one that never does.
 */
public final class Gate {
    static final long SEED = 20_250_101;
    private static final int SAMPLES = 12;
    private static final int SAMPLE_LENGTH = 300;

    private final GateProperties margins;

    public Gate(GateProperties margins) {
        this.margins = margins;
    }

    /**
     * @param bareReplay the bare model on the replayed conversations
     * @param candidate answered the same questions as {@code champion}, in the same order
     * @param retrieval null where the candidate leaves retrieval as it is
     * @throws IllegalArgumentException when they did not
     */
    public GateReport decide(
            String candidateName,
            Measured candidate,
            String championName,
            Measured champion,
            List<Double> bareReplay,
            GateReport.@Nullable Retrieval retrieval) {
        requireSameQuestions(candidate.answers(), champion.answers());
        Sides sides = new Sides(candidate.answers(), champion.answers());
        GateReport.Scores challenger = scores(candidateName, candidate);
        GateReport.Scores holder = scores(championName, champion);
        List<Integer> answerable = sides.where(Judged::answerable);
        List<Integer> unanswerable = sides.where(judged -> !judged.answerable());
        PairedBootstrap f1 =
                answerable.isEmpty() ? new PairedBootstrap(0, 0, 0) : sides.difference(answerable, Judged::f1);
        PairedBootstrap refusals =
                unanswerable.isEmpty() ? null : sides.difference(unanswerable, judged -> judged.refused() ? 1 : 0);
        List<Integer> bothCite = IntStream.range(0, candidate.answers().size())
                .filter(i -> candidate.answers().get(i).cited() != null
                        && champion.answers().get(i).cited() != null)
                .boxed()
                .toList();
        PairedBootstrap citations = bothCite.isEmpty()
                ? null
                : sides.difference(bothCite, judged -> Boolean.TRUE.equals(judged.cited()) ? 1 : 0);

        List<String> against = new ArrayList<>();
        List<String> inFavour = new ArrayList<>();
        if (answerable.size() < margins.minQuestions()) {
            against.add(text(
                    "The held-out set has %d questions that can be answered; %d are needed to tell. Add examples that rest on more documents.",
                    answerable.size(), margins.minQuestions()));
        }
        judgeAnswers(f1, challenger, holder, against, inFavour);
        judgeRefusals(refusals, challenger, holder, against, inFavour);
        if (citations != null && citations.mean() < -margins.citationMargin()) {
            against.add(text(
                    "It cites the right document less often: by %s, where %s is allowed.",
                    signed(citations.mean()), signed(-margins.citationMargin())));
        }
        if (retrieval != null) {
            judgeRetrieval(retrieval, against, inFavour);
        }
        if (!(challenger.loss() <= holder.loss() * (1 + margins.lossMargin()))) {
            against.add(text(
                    "Its loss on held-out answers is %.3f, against %.3f of the champion; %.0f %% more is allowed.",
                    challenger.loss(), holder.loss(), 100 * margins.lossMargin()));
        }
        double bare = mean(bareReplay);
        if (!(challenger.replayLoss() <= bare * (1 + margins.replayMargin()))) {
            against.add(text(
                    "It forgets: its loss on conversations without documents is %.3f, against %.3f of the bare model; %.0f %% more is allowed.",
                    challenger.replayLoss(), bare, 100 * margins.replayMargin()));
        }
        if (inFavour.isEmpty()) {
            against.add(
                    refusals == null
                            ? text("It is not clearly better: F1 of answers %s.", range(f1))
                            : text(
                                    "It is clearly better on neither side: F1 of answers %s, right refusals %s.",
                                    range(f1), range(refusals)));
        }
        List<String> reasons = new ArrayList<>(against);
        reasons.addAll(inFavour);
        if (refusals == null) {
            reasons.add("No held-out question is without an answer, so refusals were not judged.");
        }
        if (candidate.tooLong() > 0) {
            reasons.add(candidate.tooLong() + " held-out questions are too long for a prompt and were not asked.");
        }
        return new GateReport(
                against.isEmpty(),
                reasons,
                answerable.size(),
                unanswerable.size(),
                challenger,
                holder,
                f1,
                refusals,
                citations,
                retrieval,
                margins,
                samples(candidate.answers(), champion.answers()));
    }

    private void judgeAnswers(
            PairedBootstrap f1,
            GateReport.Scores challenger,
            GateReport.Scores holder,
            List<String> against,
            List<String> inFavour) {
        if (f1.mean() < -margins.f1Margin()) {
            against.add(text(
                    "It answers worse: F1 %.3f against %.3f, a difference of %s, where %s is allowed.",
                    challenger.f1(), holder.f1(), range(f1), signed(-margins.f1Margin())));
        } else if (f1.low() > 0) {
            inFavour.add(text(
                    "It answers clearly better: F1 %.3f against %.3f, %s.", challenger.f1(), holder.f1(), range(f1)));
        }
    }

    private void judgeRefusals(
            @Nullable PairedBootstrap refusals,
            GateReport.Scores challenger,
            GateReport.Scores holder,
            List<String> against,
            List<String> inFavour) {
        Double right = challenger.rightRefusals();
        Double before = holder.rightRefusals();
        if (refusals == null || right == null || before == null) {
            return;
        }
        if (refusals.mean() < -margins.refusalMargin() && right < margins.enoughRefusals()) {
            against.add(text(
                    "It answers what cannot be answered: right refusals %.3f against %.3f, a difference of %s, where %s is allowed below %.2f.",
                    right, before, range(refusals), signed(-margins.refusalMargin()), margins.enoughRefusals()));
        } else if (refusals.low() > 0) {
            inFavour.add(text(
                    "It refuses clearly better: right refusals %.3f against %.3f, %s.",
                    right, before, range(refusals)));
        }
    }

    private void judgeRetrieval(GateReport.Retrieval retrieval, List<String> against, List<String> inFavour) {
        PairedBootstrap difference = retrieval.difference();
        if (difference.mean() < -margins.retrievalMargin()) {
            against.add(text(
                    "Its questions find their passages less often: %.3f against %.3f, a difference of %s, where %s is allowed.",
                    retrieval.candidate(),
                    retrieval.champion(),
                    range(difference),
                    signed(-margins.retrievalMargin())));
        } else if (difference.low() > 0) {
            inFavour.add(text(
                    "Its questions clearly find their passages more often: %.3f against %.3f, %s.",
                    retrieval.candidate(), retrieval.champion(), range(difference)));
        }
    }

    /** Two models on the same questions. */
    private record Sides(List<Judged> candidate, List<Judged> champion) {
        List<Integer> where(Predicate<Judged> kind) {
            return IntStream.range(0, candidate.size())
                    .filter(i -> kind.test(candidate.get(i)))
                    .boxed()
                    .toList();
        }

        PairedBootstrap difference(List<Integer> questions, ToDoubleFunction<Judged> score) {
            return PairedBootstrap.of(values(candidate, questions, score), values(champion, questions, score), SEED);
        }

        private static double[] values(List<Judged> answers, List<Integer> questions, ToDoubleFunction<Judged> score) {
            return questions.stream()
                    .mapToDouble(i -> score.applyAsDouble(answers.get(i)))
                    .toArray();
        }
    }

    private static void requireSameQuestions(List<Judged> candidate, List<Judged> champion) {
        List<String> asked = candidate.stream().map(Judged::id).toList();
        if (!asked.equals(champion.stream().map(Judged::id).toList())) {
            throw new IllegalArgumentException("candidate and champion answered different questions");
        }
    }

    private static GateReport.Scores scores(String name, Measured measured) {
        List<Judged> all = measured.answers();
        List<Judged> answerable = all.stream().filter(Judged::answerable).toList();
        List<Judged> unanswerable =
                all.stream().filter(judged -> !judged.answerable()).toList();
        List<Judged> citing =
                answerable.stream().filter(judged -> judged.cited() != null).toList();
        return new GateReport.Scores(
                name,
                average(answerable, Judged::f1),
                average(answerable, judged -> judged.exactMatch() ? 1 : 0),
                average(answerable, judged -> judged.refused() ? 1 : 0),
                unanswerable.isEmpty() ? null : average(unanswerable, judged -> judged.refused() ? 1 : 0),
                citing.isEmpty() ? null : average(citing, judged -> Boolean.TRUE.equals(judged.cited()) ? 1 : 0),
                average(all, Judged::loss),
                mean(measured.replay()));
    }

    private static List<GateReport.Sample> samples(List<Judged> candidate, List<Judged> champion) {
        return IntStream.range(0, candidate.size())
                .boxed()
                .sorted(Comparator.comparingDouble(
                        (Integer i) -> -Math.abs(good(candidate.get(i)) - good(champion.get(i)))))
                .limit(SAMPLES)
                .map(i -> new GateReport.Sample(
                        shortened(candidate.get(i).question()),
                        shortened(candidate.get(i).wanted()),
                        shown(champion.get(i)),
                        shown(candidate.get(i))))
                .toList();
    }

    private static double good(Judged judged) {
        return judged.answerable() ? judged.f1() : judged.refused() ? 1 : 0;
    }

    private static String shown(Judged judged) {
        return judged.refused() ? "(refused) " + shortened(judged.answer()) : shortened(judged.answer());
    }

    private static String shortened(String text) {
        return text.length() <= SAMPLE_LENGTH
                ? text
                : text.substring(0, text.offsetByCodePoints(0, text.codePointCount(0, SAMPLE_LENGTH))) + "…";
    }

    private static double average(List<Judged> answers, ToDoubleFunction<Judged> score) {
        return answers.stream().mapToDouble(score).average().orElse(0);
    }

    private static double mean(List<Double> values) {
        return values.stream().mapToDouble(value -> value).average().orElse(0);
    }

    private static String range(PairedBootstrap difference) {
        return text(
                "%s (95 %% between %s and %s)",
                signed(difference.mean()), signed(difference.low()), signed(difference.high()));
    }

    private static String signed(double value) {
        return text("%+.3f", value);
    }

    private static String text(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
