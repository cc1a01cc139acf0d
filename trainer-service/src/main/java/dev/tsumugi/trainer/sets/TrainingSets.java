package dev.tsumugi.trainer.sets;

import dev.tsumugi.platform.web.ProblemException;
import dev.tsumugi.trainer.examples.ExampleStore;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.springframework.http.HttpStatus;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** Makes sets of a tenant's examples and gives their members out. */
@Service
public class TrainingSets {
    private static final int PAGE = 1000;

    private final ExampleStore examples;
    private final SetStore store;
    private final SetProperties properties;

    TrainingSets(ExampleStore examples, SetStore store, SetProperties properties) {
        this.examples = examples;
        this.store = store;
        this.properties = properties;
    }

    /**
     * The set of the examples as they are now; the existing one when it has the same members.
     *
     * @throws ProblemException 409 when there are no examples, or more than one set may have
     */
    @Transactional
    public TrainingSet make(String tenant, SetSettings settings) {
        store.lockTenant(tenant);
        List<SetMember> frozen = store.frozen(tenant);
        SetMaker.Result made = new SetMaker(properties.splitter(), settings).make(all(tenant), frozen);
        String digest = digest(made.members());
        return store.findWhole(tenant, digest).orElseGet(() -> {
            UUID id = store.insert(tenant, digest, settings, made);
            store.freeze(
                    tenant,
                    made.members().stream()
                            .filter(member -> member.split() == Split.HELD_OUT)
                            .toList());
            return store.find(tenant, id).orElseThrow();
        });
    }

    private List<ExampleStore.Stored> all(String tenant) {
        List<ExampleStore.Stored> all = new ArrayList<>();
        String after = "";
        while (true) {
            List<ExampleStore.Stored> page = examples.page(tenant, after, PAGE);
            all.addAll(page);
            if (all.size() > properties.maxExamples()) {
                throw new ProblemException(
                        HttpStatus.CONFLICT,
                        "too-many-examples",
                        "There are more than " + properties.maxExamples()
                                + " examples (tsumugi.trainer.sets.max-examples). Delete some, or raise the limit.");
            }
            if (page.size() < PAGE) {
                break;
            }
            after = page.getLast().example().id();
        }
        if (all.isEmpty()) {
            throw new ProblemException(
                    HttpStatus.CONFLICT,
                    "no-examples",
                    "There are no training examples. Send some to /api/v1/training/examples, or approve feedback.");
        }
        return all;
    }

    /** @throws ProblemException 404 when there is none */
    public TrainingSet require(String tenant, UUID id) {
        return store.find(tenant, id)
                .orElseThrow(() ->
                        ProblemException.notFound("set-unknown", "There is no training set with the id " + id + "."));
    }

    /** All members of one split, in the order of their ids. */
    public List<SetMember> members(String tenant, UUID id, Split split) {
        List<SetMember> all = new ArrayList<>();
        String after = "";
        while (true) {
            List<SetMember> page = store.members(tenant, id, split, after, PAGE);
            all.addAll(page);
            if (page.size() < PAGE) {
                return all;
            }
            after = page.getLast().example().id();
        }
    }

    /** The split that a document belongs to, whether or not an example rests on it. */
    public Split splitOfDocument(String document) {
        return properties.splitter().splitOfDocument(document);
    }

    /** After the deletion of a document nothing new is learned from it. */
    @Transactional
    public void withdraw(String tenant, String document) {
        // No set may be in the making meanwhile from what is deleted here.
        store.lockTenant(tenant);
        int gone = examples.deleteByDocument(tenant, document);
        store.withdraw(tenant, document);
        store.forgetWithdrawals(tenant);
        store.recordWithdrawal(tenant, document, gone);
    }

    /**
     * A moment, for {@link #withdrawnSince}: whatever is read after it lacks the documents that were withdrawn before.
     *
     * @return by the database's clock
     */
    @Transactional
    public Instant moment(String tenant) {
        // A withdrawal that is on its way ends first.
        store.lockTenant(tenant);
        return store.now();
    }

    /** Documents that were deleted after {@link #moment}. */
    public Set<String> withdrawnSince(String tenant, Instant moment) {
        return store.withdrawnSince(tenant, moment);
    }

    private static String digest(List<SetMember> members) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            members.stream()
                    .map(member -> member.split().text() + "\0" + member.source() + "\0"
                            + member.example().id() + "\0" + member.example().digest() + "\n")
                    .sorted()
                    .forEach(line -> digest.update(line.getBytes(StandardCharsets.UTF_8)));
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
