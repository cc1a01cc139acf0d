package dev.tsumugi.contracts.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A page of documents, ordered by id.
 *
 * @param next pass as {@code after} to get the next page; absent on the last
 */
public record DocumentPage(
        List<DocumentView> documents, long total, @Nullable String next) {}
