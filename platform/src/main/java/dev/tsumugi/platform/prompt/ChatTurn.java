package dev.tsumugi.platform.prompt;

/** @param role {@code system}, {@code user} or {@code assistant} */
public record ChatTurn(String role, String content) {}
