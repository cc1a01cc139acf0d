package dev.tsumugi.engine.serve;

import dev.tsumugi.engine.adapter.AdapterLease;
import dev.tsumugi.engine.adapter.AdapterLimits;
import dev.tsumugi.engine.adapter.AdapterSlots;
import dev.tsumugi.engine.constrain.Constraint;
import dev.tsumugi.engine.kernels.Draw;
import dev.tsumugi.engine.kernels.LowRankUpdates;
import dev.tsumugi.engine.model.Batch;
import dev.tsumugi.engine.model.KvCache;
import dev.tsumugi.engine.model.LanguageModel;
import dev.tsumugi.engine.model.OutputRows;
import dev.tsumugi.engine.serve.Scheduler.Share;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers many requests with one model: continuous batching over a paged cache. One thread of its own plans a step, runs the model and
 * applies the outcome, again and again; everything else happens outside of it. A request or listener that fails does not touch the others.
 *
 * <p>Safe for use by many threads. The engine owns its cache; model and tokenizer stay the caller's.
 */
public final class Engine implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    private static final Duration LISTENERS_LAST_CALL = Duration.ofSeconds(5);

    /** A step of fewer tokens is over soon anyway. */
    private static final int WORTH_ABANDONING = 16;

    private final LanguageModel model;
    private final Tokenizer tokenizer;
    private final Set<Integer> endTokens;
    private final EngineLimits limits;
    private final AdapterSlots adapters;
    private final LongSupplier clock;
    private final KvCache cache;
    private final BlockPool pool;
    private final Scheduler scheduler;
    private final Speculation speculation;
    private final Map<Sequence, Answer> answers = new IdentityHashMap<>();
    private final LinkedBlockingQueue<Runnable> inbox = new LinkedBlockingQueue<>();
    private final SecureRandom seeds = new SecureRandom();
    private final ExecutorService listeners = Executors.newVirtualThreadPerTaskExecutor();
    private final Thread thread;
    private final Object admission = new Object();
    private final Map<String, Integer> unfinishedByTenant = new HashMap<>();
    private volatile boolean closing;
    private volatile EngineStatus status;
    private final OutputRows outputs;
    private int unfinished;
    private boolean abandonedLast;
    /** Requests that run with an adapter. */
    private int adapted;

    private long steps;
    private long computedTokens;
    private long cachedTokens;
    private long generatedTokens;
    private long guessedTokens;
    private long rightGuesses;
    private long failures;

    /**
     * Starts an engine.
     *
     * @param endTokens ids that end an answer
     */
    public static Engine start(LanguageModel model, Tokenizer tokenizer, Set<Integer> endTokens, EngineLimits limits) {
        return start(model, tokenizer, endTokens, limits, System::nanoTime);
    }

    /** As {@link #start(LanguageModel, Tokenizer, Set, EngineLimits)}, with room for these adapters. */
    public static Engine start(
            LanguageModel model,
            Tokenizer tokenizer,
            Set<Integer> endTokens,
            EngineLimits limits,
            AdapterLimits adapters) {
        return start(model, tokenizer, endTokens, limits, adapters, System::nanoTime);
    }

    static Engine start(
            LanguageModel model, Tokenizer tokenizer, Set<Integer> endTokens, EngineLimits limits, LongSupplier clock) {
        return start(model, tokenizer, endTokens, limits, AdapterLimits.defaults(), clock);
    }

    private static Engine start(
            LanguageModel model,
            Tokenizer tokenizer,
            Set<Integer> endTokens,
            EngineLimits limits,
            AdapterLimits adapters,
            LongSupplier clock) {
        Engine engine = new Engine(model, tokenizer, endTokens, limits, new AdapterSlots(model, adapters), clock);
        engine.thread.start();
        return engine;
    }

    private Engine(
            LanguageModel model,
            Tokenizer tokenizer,
            Set<Integer> endTokens,
            EngineLimits limits,
            AdapterSlots adapters,
            LongSupplier clock) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.endTokens = Set.copyOf(endTokens);
        this.limits = limits;
        this.adapters = adapters;
        this.clock = clock;
        outputs = new OutputRows(model.config().vocabularySize());
        pool = new BlockPool(limits.cacheBlocks());
        scheduler = new Scheduler(pool, limits.maxBatchTokens(), limits.maxRunning());
        speculation = new Speculation(limits.maxGuesses(), model.alikeRows());
        cache = model.newCache(limits.cacheBlocks(), limits.blockTokens());
        status = snapshot();
        thread = Thread.ofPlatform().daemon().name("tsumugi-engine").unstarted(this::loop);
    }

    public EngineLimits limits() {
        return limits;
    }

    /** The adapters that requests can name; they go with the engine. */
    public AdapterSlots adapters() {
        return adapters;
    }

    public EngineStatus status() {
        return status;
    }

    /**
     * Accepts a request; the answer comes to {@code listener} and to {@link Generation#result}.
     *
     * @throws PromptTooLongException when the prompt leaves no room for an answer
     * @throws dev.tsumugi.engine.adapter.UnknownAdapterException when its adapter is not loaded
     * @throws IllegalArgumentException for a token id that the model does not have, or a constraint for another tokenizer
     * @throws QueueFullException when too many requests are unfinished, of all or of this tenant
     * @throws IllegalStateException after {@link #close}
     */
    public Generation submit(GenerationRequest request, GenerationListener listener) {
        int[] prompt = request.prompt();
        if (prompt.length >= limits.contextLength()) {
            throw new PromptTooLongException(prompt.length, limits.contextLength());
        }
        for (int token : prompt) {
            check(token);
        }
        request.sampling().logitBias().keySet().forEach(this::check);
        Constraint constraint = request.constraint();
        if (constraint != null && constraint.tokenizer() != tokenizer) {
            throw new IllegalArgumentException("the constraint was compiled for another tokenizer than this engine's");
        }
        synchronized (admission) {
            if (closing) {
                throw new IllegalStateException("the engine is closed");
            }
            int most = limits.maxRunning() + limits.maxQueued();
            if (unfinished >= most) {
                throw QueueFullException.ofEngine(most);
            }
            int ofTenant = unfinishedByTenant.getOrDefault(request.tenant(), 0);
            if (ofTenant >= limits.maxPerTenant()) {
                throw QueueFullException.ofTenant(limits.maxPerTenant());
            }
            String digest = request.adapter();
            AdapterLease adapter = digest == null ? null : adapters.acquire(digest);
            Answer answer;
            try {
                answer = new Answer(
                        request,
                        adapter,
                        listener,
                        tokenizer,
                        endTokens,
                        limits,
                        seeds.nextLong(),
                        listeners,
                        clock.getAsLong());
            } catch (RuntimeException | Error e) {
                if (adapter != null) {
                    adapter.close();
                }
                throw e;
            }
            unfinished++;
            unfinishedByTenant.put(request.tenant(), ofTenant + 1);
            inbox.add(() -> admit(answer));
            return answer.generation();
        }
    }

    /** As {@link #submit(GenerationRequest, GenerationListener)}, for those who wait for the whole. */
    public Generation submit(GenerationRequest request) {
        return submit(request, GenerationListener.NONE);
    }

    private void check(int token) {
        int vocabulary = model.config().vocabularySize();
        if (token < 0 || token >= vocabulary) {
            throw new IllegalArgumentException(
                    "token id " + token + " is not one of the " + vocabulary + " of this model");
        }
    }

    /** The heartbeat: plan, run, apply. */
    private void loop() {
        while (!closing) {
            try {
                receive();
                List<Share> shares = plan();
                if (!shares.isEmpty() && run(shares)) {
                    apply(shares);
                }
            } catch (InterruptedException | RuntimeException | Error e) {
                log.error("the engine failed in a step; all {} requests fail with it", answers.size(), e);
                failAll("the engine failed: " + e.getMessage(), e);
            }
            status = snapshot();
        }
        for (Runnable command = inbox.poll(); command != null; command = inbox.poll()) {
            command.run();
        }
        failAll("the engine was closed", null);
        status = snapshot();
    }

    /** Runs what other threads sent; waits for it when there is nothing else to do. */
    private void receive() throws InterruptedException {
        @Nullable Runnable command = scheduler.isIdle() ? inbox.take() : inbox.poll();
        for (; command != null; command = inbox.poll()) {
            command.run();
        }
    }

    private void admit(Answer answer) {
        answers.put(answer.sequence(), answer);
        adapted += answer.adapter() == null ? 0 : 1;
        scheduler.submit(answer.sequence());
    }

    private List<Share> plan() {
        long now = clock.getAsLong();
        for (Answer answer : List.copyOf(answers.values())) {
            FinishReason reason = answer.interrupted(now);
            if (reason != null) {
                finish(answer, reason, now);
            }
        }
        List<Share> shares = scheduler.plan();
        for (Share share : shares) {
            Answer answer = answer(share);
            if (answer.isScheduledFirst()) {
                answer.scheduled(now);
                cachedTokens += answer.cachedTokens();
            }
        }
        return speculation.appliesTo(shares) ? guess(shares) : shares;
    }

    private List<Share> guess(List<Share> shares) {
        int[] guesses = speculation.guesses(shares);
        List<Share> longer = new ArrayList<>();
        for (int i = 0; i < guesses.length; i++) {
            longer.add(scheduler.withGuesses(shares.get(i), guesses[i]));
        }
        return longer;
    }

    private boolean run(List<Share> shares) {
        Batch batch = adapted == 0 ? Scheduler.batch(shares) : adaptedBatch(shares);
        begin(shares, batch.outputs().length);
        boolean decoding = speculation.appliesTo(shares);
        long begin = clock.getAsLong();
        try {
            // Never twice running, so that who comes and goes quickly cannot keep the others from their tokens.
            boolean mayAbandon = !abandonedLast;
            abandonedLast = !model.forward(batch, cache, outputs, () -> mayAbandon && isInVain(shares));
        } catch (RuntimeException | Error e) {
            log.error("a step of {} tokens failed; {} requests fail with it", batch.size(), shares.size(), e);
            shares.forEach(share -> fail(answer(share), "the model failed: " + e.getMessage(), e));
            return false;
        }
        if (abandonedLast) {
            return false;
        }
        if (decoding) {
            speculation.measured(batch.size(), clock.getAsLong() - begin);
        }
        steps++;
        computedTokens += batch.size();
        return true;
    }

    private void begin(List<Share> shares, int rows) {
        boolean[] onlyLargest = new boolean[rows];
        @Nullable Draw[] draws = new Draw[rows];
        int row = 0;
        for (Share share : shares) {
            for (int ahead = 0; ahead < share.outputs(); ahead++, row++) {
                onlyLargest[row] = answer(share).takesLargest();
                draws[row] = answer(share).draw(ahead);
            }
        }
        outputs.begin(onlyLargest, draws, rows);
    }

    /** Whether most of the step in progress is for requests that are over: then their memory is free, and the others go on, the sooner without it. */
    private boolean isInVain(List<Share> shares) {
        if (closing) {
            return true;
        }
        long now = clock.getAsLong();
        int rows = 0;
        int inVain = 0;
        for (Share share : shares) {
            rows += share.rows();
            inVain += answer(share).interrupted(now) == null ? 0 : share.rows();
        }
        return inVain >= WORTH_ABANDONING && inVain * 2 > rows;
    }

    /** Puts shares with the same adapter side by side, where they cost least. */
    private Batch adaptedBatch(List<Share> shares) {
        Map<@Nullable LowRankUpdates, List<Share>> byAdapter = new LinkedHashMap<>();
        shares.forEach(share -> byAdapter
                .computeIfAbsent(answer(share).adapter(), adapter -> new ArrayList<>())
                .add(share));
        shares.clear();
        byAdapter.values().forEach(shares::addAll);
        return Scheduler.batch(shares)
                .withAdapters(
                        shares.stream().map(share -> answer(share).adapter()).toArray(LowRankUpdates[]::new));
    }

    private void apply(List<Share> shares) {
        long now = clock.getAsLong();
        int row = 0;
        for (Share share : shares) {
            Answer answer = answer(share);
            int rows = share.outputs();
            scheduler.computed(share);
            guessedTokens += share.guesses();
            try {
                FinishReason reason = choose(answer, share, rows, row, now);
                if (reason != null) {
                    finish(answer, reason, now);
                }
            } catch (RuntimeException e) {
                log.error("a request fails at its next token", e);
                fail(answer, "no token could be chosen: " + e.getMessage(), e);
            }
            row += rows;
        }
    }

    /** Chooses the token of each row in turn, as long as the row's own token, a guess, was the one chosen before it. */
    private @Nullable FinishReason choose(Answer answer, Share share, int rows, int firstRow, long now) {
        for (int i = 0; i < rows; i++) {
            FinishReason reason = answer.choose(outputs, firstRow + i, now);
            generatedTokens++;
            if (reason != null) {
                return reason;
            }
            if (i == share.guesses() || !share.sequence().lastWasGuessed()) {
                break;
            }
            rightGuesses++;
            scheduler.computedGuess(share);
        }
        scheduler.settle(share);
        return null;
    }

    private Answer answer(Share share) {
        Answer answer = answers.get(share.sequence());
        if (answer == null) {
            throw new IllegalStateException("a sequence is scheduled that no request owns");
        }
        return answer;
    }

    private void finish(Answer answer, FinishReason reason, long now) {
        release(answer);
        answer.finish(reason, now);
    }

    private void fail(Answer answer, String message, @Nullable Throwable cause) {
        release(answer);
        failures++;
        answer.fail(message, cause);
    }

    private void release(Answer answer) {
        if (answers.remove(answer.sequence()) != null && answer.adapter() != null) {
            adapted--;
        }
        answer.releaseAdapter();
        scheduler.remove(answer.sequence());
        synchronized (admission) {
            unfinished--;
            unfinishedByTenant.merge(answer.tenant(), -1, (a, b) -> a + b == 0 ? null : a + b);
        }
    }

    private EngineStatus snapshot() {
        return new EngineStatus(
                scheduler.running(),
                scheduler.waiting() + inbox.size(),
                pool.available(),
                pool.capacity(),
                steps,
                computedTokens,
                cachedTokens,
                generatedTokens,
                guessedTokens,
                rightGuesses,
                scheduler.preemptions(),
                failures);
    }

    private void failAll(String message, @Nullable Throwable cause) {
        List.copyOf(answers.values()).forEach(answer -> fail(answer, message, cause));
    }

    /**
     * Ends unfinished requests with a {@link GenerationException}, waits for the step in progress, gives listeners a few seconds to take
     * their last call, and frees the cache. Not to be called by a listener.
     */
    @Override
    public void close() {
        synchronized (admission) {
            if (closing) {
                return;
            }
            closing = true;
        }
        inbox.add(() -> {});
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                // The cache must outlive the step in progress, so an interrupt waits.
                interrupted = true;
            }
        }
        adapters.close();
        cache.close();
        listeners.shutdown();
        try {
            if (!listeners.awaitTermination(LISTENERS_LAST_CALL.toSeconds(), TimeUnit.SECONDS)) {
                listeners.shutdownNow();
            }
        } catch (InterruptedException e) {
            listeners.shutdownNow();
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
