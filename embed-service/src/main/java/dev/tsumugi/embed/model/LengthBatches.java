package dev.tsumugi.embed.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Cuts texts into batches of similar length. In a batch every text is padded to the longest, so neighbours of similar length waste
 * nothing, and a budget of padded tokens bounds the memory of one run.
 */
public final class LengthBatches {
    private LengthBatches() {}

    /**
     * @param maxTokens most tokens of a batch, padding included; a single longer text makes a batch of its own
     * @return indices into {@code texts}; every index once, the longest texts first
     */
    public static List<int[]> of(List<TokenizedText> texts, int maxTokens) {
        int[] order = IntStream.range(0, texts.size())
                .boxed()
                .sorted(Comparator.comparingInt((Integer i) -> texts.get(i).length())
                        .reversed())
                .mapToInt(Integer::intValue)
                .toArray();
        List<int[]> batches = new ArrayList<>();
        int start = 0;
        while (start < order.length) {
            int longest = Math.max(1, texts.get(order[start]).length());
            int count = Math.min(order.length - start, Math.max(1, maxTokens / longest));
            int[] batch = new int[count];
            System.arraycopy(order, start, batch, 0, count);
            batches.add(batch);
            start += count;
        }
        return batches;
    }
}
