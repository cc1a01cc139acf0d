package dev.tsumugi.generator.adapter;

import dev.tsumugi.engine.adapter.AdapterLimitException;
import dev.tsumugi.engine.adapter.LoadedAdapter;
import dev.tsumugi.engine.files.ModelFileException;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.serve.FinishReason;
import dev.tsumugi.engine.serve.GenerationException;
import dev.tsumugi.engine.serve.GenerationRequest;
import dev.tsumugi.engine.serve.GenerationResult;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.generator.model.AdapterNames;
import dev.tsumugi.generator.model.ServedModel;
import dev.tsumugi.platform.grounding.RefusalBias;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;

/**
 * Brings an adapter into memory beside those that answer, and tries it there: its content against its digest, its base model, layers and
 * shapes, finite values, and an answer of a few tokens, which also warms it.
 */
final class AdapterStaging {
    private static final String PROBE = "Which river is the longest?";
    private static final int PROBE_TOKENS = 4;
    private static final Duration PROBE_LIMIT = Duration.ofSeconds(30);
    /** No tenant can have this name, so probes and people do not count against each other. */
    private static final String PROBING = "adapter probe";

    private final ServedModel served;
    private final AdapterSource source;
    private final int[] probe;

    AdapterStaging(ServedModel served, AdapterSource source) {
        this.served = served;
        this.source = source;
        probe = served.model().chatPrompt(List.of(new ChatMessage("user", PROBE)));
    }

    /**
     * Loads an adapter and tries it; one that answers already is not tried again.
     *
     * @return keeps it until a name stands for it
     * @throws AdapterRefusedException when it cannot be used; nothing of it stays in memory then
     * @throws IOException when the store cannot be read now, or has not got it yet
     */
    AdapterNames.Hold stage(String digest, String baseDigest) throws IOException {
        requireBase(baseDigest);
        boolean tried = served.adapters().isNamed(digest);
        AdapterNames.Hold hold = served.adapters().keep(digest);
        boolean sound = false;
        try {
            if (!tried) {
                load(digest);
                probe(digest);
            }
            sound = true;
            return hold;
        } finally {
            if (!sound) {
                hold.close();
            }
        }
    }

    private void load(String digest) throws IOException {
        try (AdapterSource.Opened opened = source.open(digest)) {
            try {
                RefusalBias.of(
                        served.engine().adapters().load(opened.folder(), digest).metadata());
            } catch (ModelFileException | AdapterLimitException | IllegalArgumentException e) {
                throw refused(opened.folder(), e);
            }
        }
    }

    /**
     * Looks at an adapter as {@link #stage} does, without loading it.
     *
     * @throws AdapterRefusedException when it cannot be used with this model
     */
    LoadedAdapter check(String digest) throws IOException {
        try (AdapterSource.Opened opened = source.open(digest)) {
            try {
                LoadedAdapter adapter = served.engine().adapters().check(opened.folder(), digest);
                RefusalBias.of(adapter.metadata());
                return adapter;
            } catch (ModelFileException | IllegalArgumentException e) {
                throw refused(opened.folder(), e);
            }
        }
    }

    /** Without the place in the store, which says nothing to whoever imported it. */
    private static AdapterRefusedException refused(Path folder, RuntimeException e) {
        String message = String.valueOf(e.getMessage());
        return new AdapterRefusedException(
                message.replace(folder + folder.getFileSystem().getSeparator(), "")
                        .replace(folder.toString(), "The adapter"),
                e);
    }

    private void requireBase(String baseDigest) {
        if (!baseDigest.equals(served.digest())) {
            throw new AdapterRefusedException(
                    "It was trained on the model with the digest " + baseDigest + ", and this replica serves "
                            + served.modelName() + " with the digest " + served.digest()
                            + ". Serve the model that it was trained on, or train it again on this one.",
                    null);
        }
    }

    private void probe(String digest) throws IOException {
        GenerationRequest request = GenerationRequest.of(probe, PROBE_TOKENS)
                .withIgnoreEnd(true)
                .withLogprobs(0)
                .withTimeout(PROBE_LIMIT)
                .withTenant(PROBING)
                .withAdapter(digest);
        GenerationResult result;
        try {
            result = served.engine().submit(request).result().join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof GenerationException failure) {
                throw new AdapterRefusedException(
                        "The model breaks off with it: " + failure.getMessage()
                                + ". Its training diverged: use an earlier checkpoint.",
                        failure);
            }
            throw e;
        }
        if (result.finishReason() == FinishReason.DEADLINE) {
            throw new IOException("the probe was not answered within " + PROBE_LIMIT.toSeconds() + " s");
        }
        for (TokenLogprobs step : result.logprobs()) {
            if (!Double.isFinite(step.chosen().logprob())) {
                throw new AdapterRefusedException(
                        "Its probabilities are no numbers. Its training diverged: use an earlier checkpoint.", null);
            }
        }
    }
}
