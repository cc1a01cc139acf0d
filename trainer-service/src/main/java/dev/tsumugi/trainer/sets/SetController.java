package dev.tsumugi.trainer.sets;

import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Sets to look at before, and after, a model learns from them. */
@RestController
@RequestMapping("/internal/training")
class SetController {
    private static final int MAX_PAGE = 1000;

    private final TrainingSets sets;
    private final SetStore store;

    SetController(TrainingSets sets, SetStore store) {
        this.sets = sets;
        this.store = store;
    }

    record Sets(List<TrainingSet> sets) {}

    record Request(@Nullable Double unanswerableShare) {}

    /** @param next pass as {@code after} to get the next page; absent on the last */
    record Members(List<SetMember> examples, @Nullable String next) {}

    record Withdrawals(List<Withdrawal> documents) {}

    @PostMapping("/sets")
    @ResponseStatus(HttpStatus.CREATED)
    TrainingSet make(Caller caller, @RequestBody(required = false) @Nullable Request request) {
        Double share = request == null ? null : request.unanswerableShare();
        try {
            return sets.make(caller.tenant(), new SetSettings(share == null ? SetSettings.USUAL_SHARE : share));
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest("set-invalid", e.getMessage() + ".");
        }
    }

    /** The newest first. */
    @GetMapping("/sets")
    Sets list(Caller caller, @RequestParam(defaultValue = "100") int limit) {
        return new Sets(store.newest(caller.tenant(), checked(limit)));
    }

    @GetMapping("/sets/{id}")
    TrainingSet set(Caller caller, @PathVariable String id) {
        return sets.require(caller.tenant(), idOf(id));
    }

    @GetMapping("/sets/{id}/examples")
    Members members(
            Caller caller,
            @PathVariable String id,
            @RequestParam(required = false) @Nullable String split,
            @RequestParam(defaultValue = "100") int limit,
            @RequestParam(defaultValue = "") String after) {
        TrainingSet set = sets.require(caller.tenant(), idOf(id));
        List<SetMember> page = store.members(caller.tenant(), set.id(), splitOf(split), after, checked(limit));
        return new Members(
                page, page.size() < limit ? null : page.getLast().example().id());
    }

    @DeleteMapping("/sets/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void delete(Caller caller, @PathVariable String id) {
        TrainingSet set = sets.require(caller.tenant(), idOf(id));
        if (store.isInUse(caller.tenant(), set.id())) {
            throw new ProblemException(
                    HttpStatus.CONFLICT, "set-in-use", "A job is training on this set. Cancel it first.");
        }
        store.delete(caller.tenant(), set.id());
    }

    /** Deleted documents that something was learned from, and by which adapters. */
    @GetMapping("/withdrawals")
    Withdrawals withdrawals(Caller caller, @RequestParam(defaultValue = "100") int limit) {
        return new Withdrawals(store.withdrawals(caller.tenant(), checked(limit)));
    }

    private static int checked(int limit) {
        if (limit < 1 || limit > MAX_PAGE) {
            throw ProblemException.badRequest(
                    "limit-invalid", "limit must be 1 to " + MAX_PAGE + ", but is " + limit + ".");
        }
        return limit;
    }

    private static @Nullable Split splitOf(@Nullable String text) {
        try {
            return text == null ? null : Split.of(text);
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest("split-invalid", "split must be train, validation or held-out.");
        }
    }

    private static UUID idOf(String id) {
        try {
            return UUID.fromString(id);
        } catch (IllegalArgumentException e) {
            throw ProblemException.notFound("set-unknown", "There is no training set with the id " + id + ".");
        }
    }
}
