package dev.tsumugi.contracts.api;

/**
 * Answer of generator-service's {@code GET /internal/load}.
 *
 * @param running requests that are computed
 * @param waiting requests that wait
 */
public record GeneratorLoad(int running, int waiting) {}
