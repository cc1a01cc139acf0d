package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Body of {@code POST /api/v1/ask}.
 *
 * @param limit passages to retrieve, 1 to 20, default 5
 * @param adapter a name, {@code none}, or absent for the promoted one
 * @param stream true: server-sent events
 * @param history earlier turns, oldest first
 */
public record AskRequest(
        String question,
        @Nullable Integer limit,
        @Nullable String adapter,
        @Nullable Boolean stream,
        @Nullable List<Turn> history) {

    /** @param role {@code user} or {@code assistant} */
    public record Turn(String role, String content) {}
}
