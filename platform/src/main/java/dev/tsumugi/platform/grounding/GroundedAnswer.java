package dev.tsumugi.platform.grounding;

import dev.tsumugi.contracts.api.AskResponse.Citation;
import java.util.List;

/**
 * An answer with marks like {@code [1]} behind every sentence that the passages support.
 *
 * @param citations one for each mark, in order; empty when the passages support no sentence
 */
public record GroundedAnswer(String text, List<Citation> citations) {
    public boolean supported() {
        return !citations.isEmpty();
    }
}
