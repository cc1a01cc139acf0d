package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.adapter.AdapterLease;
import dev.tsumugi.engine.constrain.Constraint;
import dev.tsumugi.engine.constrain.ConstraintBudget;
import dev.tsumugi.engine.constrain.ConstraintState;
import dev.tsumugi.engine.kernels.Draw;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.model.OutputRows;
import dev.tsumugi.engine.sample.Sampler;
import dev.tsumugi.engine.sample.TokenLogprobs;
import dev.tsumugi.engine.serve.GenerationResult.Timings;
import dev.tsumugi.engine.serve.GenerationResult.Usage;
import dev.tsumugi.engine.tokenizer.Detokenizer;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** One request on its way through the engine: what is generated, what the caller has been told, and when it ends. Used by the engine's thread. */
final class Answer {
    private static final int UNSET = -1;

    private final GenerationRequest request;
    private final @Nullable AdapterLease adapter;
    private final GenerationListener listener;
    private final Generation generation = new Generation();
    private final Sequence sequence;
    private final Sampler sampler;
    private final Detokenizer detokenizer;
    private final StopStrings stops;
    private final Set<Integer> endTokens;
    private @Nullable ConstraintState constrained;
    private final ConstraintBudget constraintBudget = new ConstraintBudget();
    private final int lengthLimit;
    private final Mailbox mailbox;
    private final long submitted;
    private final StringBuilder text = new StringBuilder();
    private final List<TokenLogprobs> logprobs = new ArrayList<>();
    private int reportedLogprobs;
    private int cachedTokens = UNSET;
    private long started = UNSET;
    private long firstToken = UNSET;

    /**
     * @param adapter held until {@link #releaseAdapter}; null: none
     * @param now nanoseconds of the engine's clock
     */
    Answer(
            GenerationRequest request,
            @Nullable AdapterLease adapter,
            GenerationListener listener,
            Tokenizer tokenizer,
            Set<Integer> endTokens,
            EngineLimits limits,
            long seed,
            Executor listeners,
            long now) {
        this.request = request;
        this.adapter = adapter;
        this.listener = listener;
        this.endTokens = request.ignoreEnd() ? Set.of() : endTokens;
        Constraint constraint = request.constraint();
        constrained = constraint == null ? null : constraint.initial();
        int[] prompt = request.prompt();
        lengthLimit = (int) Math.min(limits.contextLength(), (long) prompt.length + request.maxTokens());
        sequence = new Sequence(
                prompt, limits.blockTokens(), adapter == null ? "" : adapter.digest(), request.tenant(), lengthLimit);
        sampler = new Sampler(request.sampling(), seed, prompt);
        detokenizer = tokenizer.detokenizer(true);
        stops = new StopStrings(request.stop());
        mailbox = new Mailbox(listeners);
        submitted = now;
    }

    Generation generation() {
        return generation;
    }

    String tenant() {
        return request.tenant();
    }

    Sequence sequence() {
        return sequence;
    }

    /** What its tokens run with; null: the bare model. */
    @Nullable
    LowRankUpdates adapter() {
        return adapter == null ? null : adapter.updates();
    }

    /** Its tokens are in no batch from here on. */
    void releaseAdapter() {
        if (adapter != null) {
            adapter.close();
        }
    }

    /** Notes the first step that this request is part of. */
    void scheduled(long now) {
        if (started == UNSET) {
            started = now;
            cachedTokens = sequence.computed();
        }
    }

    /** Tokens of the prompt that the first step found in the cache. */
    int cachedTokens() {
        return Math.max(cachedTokens, 0);
    }

    boolean isScheduledFirst() {
        return started == UNSET;
    }

    /** Why it ends now although no token came, or null. */
    @Nullable
    FinishReason interrupted(long now) {
        if (generation.isCancelled()) {
            return FinishReason.CANCELLED;
        }
        Duration timeout = request.timeout();
        return timeout != null && now - submitted >= timeout.toNanos() ? FinishReason.DEADLINE : null;
    }

    /** Whether the next token is the one with the largest logit, and nothing else of the logits matters. */
    boolean takesLargest() {
        return needsOnlyTheToken() && request.sampling().takesLargest();
    }

    /** How the token that is {@code ahead} of the next one is drawn, where nothing but the draw matters of its logits; else null. */
    @Nullable
    Draw draw(int ahead) {
        return needsOnlyTheToken() && request.sampling().drawsPlainly() ? sampler.draw(sequence.known() + ahead) : null;
    }

    private boolean needsOnlyTheToken() {
        return constrained == null
                && request.logprobs() < 0
                && (request.firstTokenBias().isEmpty() || !isAtFirstToken());
    }

    private boolean isAtFirstToken() {
        return sequence.known() == sequence.promptLength();
    }

    /**
     * Chooses the next token from an output row, and tells the listener.
     *
     * @return why the answer ends with it, or null
     */
    @Nullable
    FinishReason choose(OutputRows outputs, int row, long now) {
        int token = outputs.hasOnlyLargest(row)
                ? outputs.largest(row)
                : outputs.isDrawn(row) ? outputs.drawn(row) : sample(outputs, row);
        if (firstToken == UNSET) {
            firstToken = now;
        }
        sequence.append(token);
        boolean ended = endTokens.contains(token);
        give(ended ? "" : stops.accept(detokenizer.accept(token)));
        if (ended || stops.found()) {
            return FinishReason.STOP;
        }
        if (constrained != null) {
            constrained = constrained.after(token);
            if (constrained.isComplete()) {
                return FinishReason.STOP;
            }
        }
        return sequence.known() >= lengthLimit ? FinishReason.LENGTH : null;
    }

    private int sample(OutputRows outputs, int row) {
        float[] logits = outputs.logits();
        int from = outputs.firstLogit(row);
        int vocabulary = outputs.vocabulary();
        boolean wanted = request.logprobs() >= 0;
        float[] raw = wanted ? Arrays.copyOfRange(logits, from, from + vocabulary) : logits;
        if (constrained != null) {
            constrained.restrict(logits, from, vocabulary, endTokens, constraintBudget);
        }
        if (isAtFirstToken()) {
            request.firstTokenBias().forEach((id, bias) -> logits[from + id] += bias);
        }
        int token = sampler.next(logits, from, vocabulary, sequence.known());
        if (wanted) {
            logprobs.add(TokenLogprobs.of(raw, 0, vocabulary, token, request.logprobs()));
        }
        return token;
    }

    void finish(FinishReason reason, long now) {
        give(stops.accept(detokenizer.finish()) + stops.finish());
        int[] tokens = sequence.generated();
        GenerationResult result = new GenerationResult(
                text.toString(),
                tokens,
                reason,
                new Usage(sequence.promptLength(), cachedTokens(), tokens.length),
                new Timings(since(started, now), since(firstToken, now), Duration.ofNanos(now - submitted)),
                List.copyOf(logprobs));
        mailbox.put(() -> {
            try {
                listener.onFinish(result);
            } finally {
                generation.complete(result);
            }
        });
    }

    void fail(String message, @Nullable Throwable cause) {
        GenerationException failure = new GenerationException(message, cause);
        mailbox.put(() -> {
            try {
                listener.onFailure(failure);
            } finally {
                generation.fail(failure);
            }
        });
    }

    private void give(String piece) {
        List<TokenLogprobs> fresh = List.copyOf(logprobs.subList(reportedLogprobs, logprobs.size()));
        if (piece.isEmpty() && fresh.isEmpty()) {
            return;
        }
        reportedLogprobs = logprobs.size();
        text.append(piece);
        mailbox.put(() -> listener.onPiece(piece, fresh));
    }

    private Duration since(long moment, long now) {
        return Duration.ofNanos((moment == UNSET ? now : moment) - submitted);
    }
}
