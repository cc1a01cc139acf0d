package dev.tsumugi.trainer.sets;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.examples.ExampleStore.Stored;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SetMakerTests {
    private static final Splitter SPLITTER = new Splitter(20, 10);

    @Test
    void no_document_is_in_two_splits() {
        List<Stored> examples = rivers(300);
        // Each of these rests on two documents, many of which belong to different splits.
        for (int i = 0; i < 100; i++) {
            examples.add(imported(Example.checked(
                    "two-" + i,
                    "Which is longer, river " + i + " or river " + (i + 1) + "?",
                    List.of("a " + i, "b " + i),
                    List.of("doc-" + i, "doc-" + (i + 1)),
                    List.of(),
                    "the first",
                    true)));
        }
        SetMaker.Result made = make(examples, 0.3, List.of());
        assertThat(made.counts().betweenSplits()).isPositive();
        assertThat(made.counts().generated()).isPositive();
        List<Set<String>> documents = new ArrayList<>();
        for (Split split : Split.values()) {
            documents.add(made.members().stream()
                    .filter(member -> member.split() == split)
                    .flatMap(member -> Splitter.keys(member.example()).stream())
                    .collect(Collectors.toSet()));
        }
        assertThat(documents).noneMatch(Set::isEmpty);
        assertThat(Collections.disjoint(documents.get(0), documents.get(1))).isTrue();
        assertThat(Collections.disjoint(documents.get(0), documents.get(2))).isTrue();
        assertThat(Collections.disjoint(documents.get(1), documents.get(2))).isTrue();
    }

    @Test
    void the_same_examples_in_any_order_make_the_same_members() {
        List<Stored> examples = rivers(100);
        Set<SetMember> once = new HashSet<>(make(examples, 0.3, List.of()).members());
        Collections.reverse(examples);
        assertThat(new HashSet<>(make(examples, 0.3, List.of()).members())).isEqualTo(once);
    }

    @Test
    void a_question_that_differs_only_in_form_counts_once_and_a_correction_wins() {
        Example imported = Example.checked("1", "Who founded Ａ?", List.of(), "Rollo", true);
        Example corrected = Example.checked("z", "who  founded a", List.of(), "Richard", true);
        SetMaker.Result made = make(List.of(imported(imported), new Stored(corrected, "feedback")), 0, List.of());
        assertThat(made.counts().duplicates()).isEqualTo(1);
        assertThat(made.members()).extracting(SetMember::example).allMatch(corrected::equals);
    }

    @Test
    void generated_questions_get_near_passages_that_do_not_hold_the_answer_and_are_marked() {
        SetMaker.Result made = make(rivers(200), 0.4, List.of());
        List<SetMember> generated = made.members().stream()
                .filter(member -> member.source().equals("generated"))
                .toList();
        long train = made.members().stream()
                .filter(member -> member.split() == Split.TRAIN)
                .count();
        assertThat(generated.stream()
                        .filter(member -> member.split() == Split.TRAIN)
                        .count())
                .isEqualTo(Math.round(train * 0.4));
        for (SetMember member : generated) {
            Example example = member.example();
            String source = example.id().substring("unanswerable-".length());
            assertThat(example.answerable()).isFalse();
            assertThat(example.contexts()).isNotEmpty().allMatch(context -> context.contains("river"));
            assertThat(example.contexts()).noneMatch(context -> context.contains(answerOf(source)));
            assertThat(example.documents()).noneMatch(("doc-" + source)::equals);
        }
    }

    @Test
    void questions_without_answers_beyond_their_share_are_left_out_of_training_only() {
        List<Stored> examples = rivers(100);
        for (int i = 0; i < 100; i++) {
            examples.add(imported(Example.checked(
                    "none-" + i,
                    "Why is river " + i + " blue?",
                    List.of("It is " + i),
                    List.of("doc-" + i),
                    List.of(),
                    "",
                    false)));
        }
        SetMaker.Result made = make(examples, 0.2, List.of());
        long train = count(made, Split.TRAIN, true) + count(made, Split.TRAIN, false);
        assertThat(count(made, Split.TRAIN, false)).isEqualTo(Math.round(train * 0.2));
        assertThat(made.counts().surplusUnanswerable()).isPositive();
        assertThat(count(made, Split.HELD_OUT, false)).isEqualTo(count(made, Split.HELD_OUT, true));
    }

    @Test
    void what_was_held_out_once_stays_as_it_was_and_feedback_never_enters() {
        List<Stored> first = rivers(100);
        List<SetMember> frozen = make(first, 0, List.of()).members().stream()
                .filter(member -> member.split() == Split.HELD_OUT)
                .toList();
        Example held = frozen.getFirst().example();
        List<Stored> poisoned = new ArrayList<>(first.stream()
                .filter(stored -> !stored.example().id().equals(held.id()))
                .toList());
        poisoned.add(imported(Example.checked(
                held.id(), held.question(), held.contexts(), held.documents(), List.of(), "poison", true)));
        poisoned.add(new Stored(
                Example.checked(
                        "feedback-1", "Something else?", List.of(), List.of(), held.documents(), "poison", true),
                "feedback"));
        SetMaker.Result made = new SetMaker(new Splitter(1, 0), new SetSettings(0)).make(poisoned, frozen);
        assertThat(made.members()).containsAll(frozen);
        assertThat(made.members())
                .extracting(member -> member.example().answer())
                .doesNotContain("poison");
        assertThat(made.counts().feedbackKeptOut()).isEqualTo(1);
    }

    private static SetMaker.Result make(List<Stored> examples, double share, List<SetMember> frozen) {
        return new SetMaker(SPLITTER, new SetSettings(share)).make(examples, frozen);
    }

    private static long count(SetMaker.Result made, Split split, boolean answerable) {
        return made.members().stream()
                .filter(member -> member.split() == split && member.example().answerable() == answerable)
                .count();
    }

    private static String answerOf(String id) {
        return (Integer.parseInt(id) + 5000) + " metres";
    }

    private static List<Stored> rivers(int count) {
        List<Stored> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            examples.add(imported(Example.checked(
                    Integer.toString(i),
                    "How long is river number " + i + "?",
                    List.of("The river number " + i + " is " + (i + 5000) + " metres long."),
                    List.of("doc-" + i),
                    List.of(),
                    answerOf(Integer.toString(i)),
                    true)));
        }
        return examples;
    }

    private static Stored imported(Example example) {
        return new Stored(example, "import");
    }
}
