package dev.tsumugi.trainer.sets;

import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.examples.ExampleStore;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Makes the members of a set out of examples: each once, each in one split, in balance. The same examples make the same members. */
final class SetMaker {
    private final Splitter splitter;
    private final SetSettings settings;
    private final List<SetMember> train = new ArrayList<>();
    private final List<SetMember> validation = new ArrayList<>();
    private final List<SetMember> heldOut = new ArrayList<>();
    private int duplicates;
    private int betweenSplits;
    private int feedbackKeptOut;
    private int surplus;

    SetMaker(Splitter splitter, SetSettings settings) {
        this.splitter = splitter;
        this.settings = settings;
    }

    record Result(List<SetMember> members, SetCounts counts) {}

    /**
     * @param frozen held-out members of earlier sets, as they were then; they stay, and nothing that rests on their documents is trained on
     */
    Result make(List<ExampleStore.Stored> examples, List<SetMember> frozen) {
        Set<String> frozenKeys = new HashSet<>();
        Set<String> frozenIds = new HashSet<>();
        for (SetMember member : frozen) {
            frozenIds.add(member.example().id());
            // A generated one rests on passages of examples that are held out themselves.
            frozenKeys.addAll(Splitter.keys(member.example()));
        }
        for (ExampleStore.Stored stored : unique(examples)) {
            place(stored, frozenKeys, frozenIds);
        }
        generate(Split.TRAIN, Set.of());
        generate(Split.VALIDATION, Set.of());
        generate(Split.HELD_OUT, frozenIds);
        heldOut.addAll(frozen);
        balance();
        List<SetMember> all = new ArrayList<>(train);
        all.addAll(validation);
        all.addAll(heldOut);
        int generated = (int) all.stream()
                .filter(member -> member.source().equals(SetMember.GENERATED))
                .count();
        return new Result(
                all,
                new SetCounts(
                        train.size(),
                        validation.size(),
                        heldOut.size(),
                        generated,
                        duplicates,
                        betweenSplits,
                        feedbackKeptOut,
                        surplus));
    }

    /** Of those that ask the same about the same, a person's correction wins. */
    private List<ExampleStore.Stored> unique(List<ExampleStore.Stored> examples) {
        List<ExampleStore.Stored> order = new ArrayList<>(examples);
        order.sort(Comparator.comparing(
                        (ExampleStore.Stored stored) -> !stored.source().equals(SetMember.FEEDBACK))
                .thenComparing(stored -> stored.example().id()));
        Map<String, ExampleStore.Stored> kept = new LinkedHashMap<>();
        for (ExampleStore.Stored stored : order) {
            if (kept.putIfAbsent(sameness(stored.example()), stored) != null) {
                duplicates++;
            }
        }
        return List.copyOf(kept.values());
    }

    private static String sameness(Example example) {
        List<String> contexts = new ArrayList<>(
                example.contexts().stream().map(NormalizedText::of).toList());
        Collections.sort(contexts);
        return NormalizedText.of(example.question()) + "\n" + String.join("\n", contexts);
    }

    private void place(ExampleStore.Stored stored, Set<String> frozenKeys, Set<String> frozenIds) {
        Example example = stored.example();
        if (frozenIds.contains(example.id())) {
            return;
        }
        Set<String> keys = Splitter.keys(example);
        Split split = Collections.disjoint(keys, frozenKeys) ? splitter.splitOf(keys) : Split.HELD_OUT;
        if (split == null) {
            betweenSplits++;
        } else if (split == Split.HELD_OUT && stored.source().equals(SetMember.FEEDBACK)) {
            feedbackKeptOut++;
        } else {
            in(split).add(new SetMember(split, stored.source(), example));
        }
    }

    private List<SetMember> in(Split split) {
        return switch (split) {
            case TRAIN -> train;
            case VALIDATION -> validation;
            case HELD_OUT -> heldOut;
        };
    }

    private void generate(Split split, Set<String> alreadyFrozen) {
        List<Example> own = in(split).stream().map(SetMember::example).toList();
        List<Example> answerable = own.stream()
                .filter(example -> example.answerable()
                        && !example.contexts().isEmpty()
                        && !alreadyFrozen.contains(ExampleStore.generatedId(example.id())))
                .toList();
        int missing = wantedUnanswerable(own) - (own.size() - countAnswerable(own));
        if (missing > 0) {
            new UnanswerableExamples(own)
                    .of(answerable, missing)
                    .forEach(example -> in(split).add(new SetMember(split, SetMember.GENERATED, example)));
        }
    }

    private int wantedUnanswerable(List<Example> examples) {
        double share = settings.unanswerableShare();
        return (int) Math.round(countAnswerable(examples) * share / (1 - share));
    }

    private static int countAnswerable(List<Example> examples) {
        return (int) examples.stream().filter(Example::answerable).count();
    }

    /** Unanswerable examples beyond their share leave the training split; where there is no answerable one, all stay. */
    private void balance() {
        List<Example> examples = train.stream().map(SetMember::example).toList();
        if (countAnswerable(examples) == 0) {
            return;
        }
        int wanted = wantedUnanswerable(examples);
        List<SetMember> unanswerable = new ArrayList<>(
                train.stream().filter(member -> !member.example().answerable()).toList());
        surplus = Math.max(0, unanswerable.size() - wanted);
        unanswerable.sort(Comparator.comparingLong(
                        (SetMember member) -> Splitter.hash(member.example().id()))
                .thenComparing(member -> member.example().id()));
        train.removeAll(new HashSet<>(unanswerable.subList(0, surplus)));
    }
}
