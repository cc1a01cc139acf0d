package dev.tsumugi.trainer.feedback;

import dev.tsumugi.contracts.api.FeedbackRequest;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Takes feedback on answers, lists it for review, and hears the verdict. */
@RestController
@RequestMapping("/internal/feedback")
class FeedbackController {
    private static final int MAX_TEXT = 32_000;
    private static final int MAX_CITATIONS = 100;
    private static final int MAX_PAGE = 1000;

    private static final List<String> REVIEWS = List.of("open", "approved", "rejected");

    private final FeedbackStore store;
    private final FeedbackReview review;

    FeedbackController(FeedbackStore store, FeedbackReview review) {
        this.store = store;
        this.review = review;
    }

    record Stored(UUID id) {}

    record Page(List<FeedbackStore.Feedback> feedback) {}

    @PostMapping
    @ResponseStatus(HttpStatus.CREATED)
    Stored store(Caller caller, @RequestBody FeedbackRequest feedback) {
        requireText("question", feedback.question());
        requireText("answer", feedback.answer());
        limit("correctedAnswer", feedback.correctedAnswer());
        limit("comment", feedback.comment());
        if (!"up".equals(feedback.rating()) && !"down".equals(feedback.rating())) {
            throw ProblemException.badRequest("feedback-invalid", "The field rating must be \"up\" or \"down\".");
        }
        if (feedback.citations() != null && feedback.citations().size() > MAX_CITATIONS) {
            throw ProblemException.badRequest(
                    "feedback-invalid", "There are more than " + MAX_CITATIONS + " citations.");
        }
        return new Stored(store.store(caller.tenant(), feedback));
    }

    /** The newest first. */
    @GetMapping
    Page list(
            Caller caller,
            @RequestParam(required = false) @Nullable String review,
            @RequestParam(defaultValue = "100") int limit) {
        if (limit < 1 || limit > MAX_PAGE) {
            throw ProblemException.badRequest(
                    "limit-invalid", "limit must be 1 to " + MAX_PAGE + ", but is " + limit + ".");
        }
        if (review != null && !REVIEWS.contains(review)) {
            throw ProblemException.badRequest("review-invalid", "review must be one of " + REVIEWS + ".");
        }
        return new Page(store.newest(caller.tenant(), review, limit));
    }

    /** Makes a training example of it. */
    @PostMapping("/{id}/approve")
    FeedbackReview.Approved approve(
            Caller caller,
            @PathVariable String id,
            @RequestBody(required = false) FeedbackReview.@Nullable Approval approval) {
        return review.approve(
                caller.tenant(), idOf(id), approval == null ? new FeedbackReview.Approval(null, null, null) : approval);
    }

    /** It makes no example, and one that it made before goes. */
    @PostMapping("/{id}/reject")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void reject(Caller caller, @PathVariable String id) {
        review.reject(caller.tenant(), idOf(id));
    }

    private static UUID idOf(String id) {
        try {
            return UUID.fromString(id);
        } catch (IllegalArgumentException e) {
            throw FeedbackReview.unknown(id);
        }
    }

    private static void requireText(String field, @Nullable String text) {
        if (text == null || text.isBlank()) {
            throw ProblemException.badRequest("feedback-invalid", "The field " + field + " is missing.");
        }
        limit(field, text);
    }

    private static void limit(String field, @Nullable String text) {
        if (text != null && (text.length() > MAX_TEXT || text.indexOf('\0') >= 0)) {
            throw ProblemException.badRequest(
                    "feedback-invalid",
                    "The field " + field + " has more than " + MAX_TEXT + " characters or holds a NUL character.");
        }
    }
}
