package dev.tsumugi.trainer.jobs;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotEmpty;
import jakarta.validation.constraints.NotNull;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Where and with what is trained.
 *
 * @param backend that computes, as in the engine
 * @param threads that compute; 0: one per processor
 * @param memory that training may take; 0: any
 * @param work folder for checkpoints; shared by all trainers, a job goes on in another one where it stood
 * @param retrieverUrls of all retrievers, which share the fetching of contexts; one that fails is left out for a while
 * @param generatorUrls of all generators that serve on this machine's processors; training waits for each
 * @param embedUrl for the vectors of questions and passages, which the objective rag-sequence needs
 * @param retrievalWorkers how many contexts are fetched at once from each retriever
 * @param longestPause that one micro-batch waits for the generator to be idle
 * @param heartbeat how often a trainer says that it is alive; after four that are missing its job goes to another
 * @param polling how often is looked for work
 * @param maxUnfinished jobs of one tenant
 * @param maxSchedules of one tenant
 */
@ConfigurationProperties("tsumugi.trainer")
@Validated
record TrainerProperties(
        @DefaultValue("auto") String backend,
        @Min(0) @Max(1024) @DefaultValue("0") int threads,
        @DefaultValue("0B") DataSize memory,
        @NotNull Path work,
        @NotEmpty List<URI> retrieverUrls,
        @NotEmpty List<URI> generatorUrls,
        @NotNull URI embedUrl,
        @Min(1) @Max(64) @DefaultValue("4") int retrievalWorkers,
        @DefaultValue("2s") Duration longestPause,
        @DefaultValue("10s") Duration heartbeat,
        @DefaultValue("5s") Duration polling,
        @Min(1) @Max(10_000) @DefaultValue("20") int maxUnfinished,
        @Min(1) @Max(10_000) @DefaultValue("20") int maxSchedules) {}
