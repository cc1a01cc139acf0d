package dev.tsumugi.engine.tokenizer;

/**
 * One turn of a conversation.
 *
 * @param role {@code system}, {@code user} or {@code assistant}; a model's template may know others
 */
public record ChatMessage(String role, String content) {}
