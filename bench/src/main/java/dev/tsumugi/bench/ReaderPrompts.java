package dev.tsumugi.bench;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.engine.tokenizer.Tokenizer;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import dev.tsumugi.platform.prompt.PromptBudget;
import java.util.ArrayList;
import java.util.List;

/** Questions as the generator asks them: the same prompt, with the passages that a search might have brought. */
final class ReaderPrompts {
    private static final double GOLD_SIMILARITY = 0.9;
    private static final double DISTRACTOR_SIMILARITY = 0.885;

    private final AnswerPrompt prompt;

    ReaderPrompts(Tokenizer tokenizer, int hiddenSize) {
        prompt = PromptBudget.forModel(hiddenSize).prompt(text -> tokenizer.encodePlain(text).length);
    }

    /** @param distractors passages that do not answer the question */
    List<ChatMessage> messages(SquadQuestion question, List<String> distractors) {
        List<Hit> hits = new ArrayList<>();
        hits.add(hit(question.title(), question.passage(), GOLD_SIMILARITY));
        distractors.forEach(text -> hits.add(hit(question.title(), text, DISTRACTOR_SIMILARITY)));
        return prompt.messages(question.question(), hits, List.of()).stream()
                .map(turn -> new ChatMessage(turn.role(), turn.content()))
                .toList();
    }

    private static Hit hit(String title, String text, double similarity) {
        return new Hit("document", "chunk", 1, title, "", text, similarity, similarity, 0, text.length());
    }
}
