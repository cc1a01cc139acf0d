package dev.tsumugi.contracts.api;

import org.jspecify.annotations.Nullable;

/**
 * One server-sent event of a streamed answer: any number with {@code delta}, then one with {@code done} or {@code error}. The SSE event
 * name is {@code delta}, {@code done} or {@code error}.
 */
public record AnswerEvent(
        @Nullable String delta,
        @Nullable AskResponse done,
        @Nullable String error) {}
