package dev.tsumugi.contracts.api;

import java.util.List;

/**
 * @param vectors unit length, one a text, in order
 * @param tokens tokens over all texts, special ones included
 */
public record EmbedResponse(String model, String indexGeneration, List<float[]> vectors, int tokens) {}
