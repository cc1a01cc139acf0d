package dev.tsumugi.bench;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import dev.tsumugi.platform.grounding.Words;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import dev.tsumugi.platform.prompt.PromptBudget;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;

/** Questions as the generator asks them: the same prompt, with the passages that a search might have brought. */
final class ReaderPrompts {
    private static final double SIMILARITY = 0.9;
    /** Of passages beside the right one, E5's cosines are at most so much lower. */
    private static final double SPREAD = 0.03;

    private static final int OTHERS = 4;

    private final AnswerPrompt prompt;

    ReaderPrompts(Tokenizer tokenizer, int hiddenSize) {
        prompt = PromptBudget.forModel(hiddenSize).prompt(text -> tokenizer.encodePlain(text).length);
    }

    List<ChatMessage> messages(SquadQuestion question, List<Hit> passages) {
        return prompt.messages(question.question(), passages, List.of()).stream()
                .map(turn -> new ChatMessage(turn.role(), turn.content()))
                .toList();
    }

    /** The passage that the question was asked about. */
    static List<Hit> own(SquadQuestion question) {
        return List.of(hit(question.title(), question.passage(), SIMILARITY));
    }

    /**
     * The passage alone, or for a part of the questions among those of its article that share the most words with the question and do not hold
     * the answer, as a search brings them; now and then one of these is first.
     *
     * @param all of the article, and of others
     * @param share of the questions whose passage is not alone
     */
    static List<Hit> asIfFound(SquadQuestion question, List<SquadQuestion> all, double share, Random random) {
        if (random.nextDouble() >= share) {
            return own(question);
        }
        Set<String> asked = Words.topics(question.question());
        List<String> others = all.stream()
                .filter(other -> other.article() == question.article())
                .map(SquadQuestion::passage)
                .distinct()
                .filter(passage -> !passage.equals(question.passage())
                        && question.answers().stream().noneMatch(passage::contains))
                .sorted(Comparator.comparingLong((String passage) -> -shared(passage, asked)))
                .limit(OTHERS)
                .toList();
        List<Hit> hits = new ArrayList<>();
        for (String other : others) {
            hits.add(hit(question.title(), other, SIMILARITY - SPREAD * random.nextDouble()));
        }
        boolean otherFirst = random.nextInt(4) == 0 && !others.isEmpty();
        if (otherFirst) {
            hits.set(0, hit(question.title(), others.getFirst(), SIMILARITY));
        }
        hits.addFirst(hit(question.title(), question.passage(), otherFirst ? SIMILARITY - SPREAD / 3 : SIMILARITY));
        hits.sort(Comparator.comparingDouble((Hit hit) -> -hit.similarity()));
        return hits;
    }

    private static long shared(String passage, Set<String> asked) {
        return Words.topics(passage).stream().filter(asked::contains).count();
    }

    /** @param behind share of the best one's score that it lacks, 0 to 1 */
    static Hit hit(SquadQuestion of, double behind) {
        return hit(of.title(), of.passage(), SIMILARITY - SPREAD * behind);
    }

    private static Hit hit(String title, String text, double similarity) {
        return new Hit("document", "chunk", 1, title, "", text, similarity, similarity, 0, text.length());
    }
}
