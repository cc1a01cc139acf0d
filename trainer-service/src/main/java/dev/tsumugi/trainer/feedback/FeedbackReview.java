package dev.tsumugi.trainer.feedback;

import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.examples.Example;
import dev.tsumugi.trainer.examples.ExampleStore;
import dev.tsumugi.trainer.examples.InvalidExampleException;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** What a person makes of feedback: a training example, or nothing. Nothing is learned that nobody has looked at. */
@Service
public class FeedbackReview {
    private final FeedbackStore feedback;
    private final ExampleStore examples;

    FeedbackReview(FeedbackStore feedback, ExampleStore examples) {
        this.feedback = feedback;
        this.examples = examples;
    }

    /**
     * @param answer what the answer should have been; absent: the corrected one, or for a thumbs-up the given one
     * @param answerable false: the documents do not hold the answer; absent: they do
     * @param cited documents that hold the answer; absent: those that the answer cited
     */
    record Approval(
            @Nullable String answer,
            @Nullable Boolean answerable,
            @Nullable List<String> cited) {}

    record Approved(String exampleId) {}

    @Transactional
    Approved approve(String tenant, UUID id, Approval approval) {
        FeedbackStore.Feedback found = feedback.lock(tenant, id).orElseThrow(() -> unknown(id.toString()));
        Example example = example(found, approval);
        examples.store(tenant, List.of(example), "feedback");
        feedback.review(tenant, id, "approved", example.id());
        return new Approved(example.id());
    }

    @Transactional
    void reject(String tenant, UUID id) {
        FeedbackStore.Feedback found = feedback.lock(tenant, id).orElseThrow(() -> unknown(id.toString()));
        if (found.exampleId() != null) {
            examples.delete(tenant, found.exampleId());
        }
        feedback.review(tenant, id, "rejected", null);
    }

    private static Example example(FeedbackStore.Feedback found, Approval approval) {
        boolean answerable = approval.answerable() == null || approval.answerable();
        String answer = approval.answer() != null
                ? approval.answer()
                : found.correctedAnswer() != null
                        ? found.correctedAnswer()
                        : found.rating().equals("up") ? withoutMarks(found.answer()) : null;
        if (answerable && answer == null) {
            throw ProblemException.badRequest(
                    "answer-missing",
                    "A thumbs-down without a corrected answer teaches nothing yet. Send {\"answer\": \"...\"}, or {\"answerable\": false}"
                            + " when the documents do not hold the answer.");
        }
        try {
            return Example.checked(
                    "feedback-" + found.id(),
                    found.question(),
                    List.of(),
                    List.of(),
                    approval.cited() == null ? found.cited() : approval.cited(),
                    answer,
                    answerable);
        } catch (InvalidExampleException e) {
            throw ProblemException.badRequest(
                    "example-invalid", "No example can be made of this feedback: " + e.getMessage() + ".");
        }
    }

    /** An answer holds the numbers of its citations, which the model does not write itself. */
    private static String withoutMarks(String answer) {
        return answer.replaceAll("\\s?\\[\\d{1,2}\\]", "").strip();
    }

    static ProblemException unknown(String id) {
        return ProblemException.notFound("feedback-unknown", "There is no feedback with the id " + id + ".");
    }
}
