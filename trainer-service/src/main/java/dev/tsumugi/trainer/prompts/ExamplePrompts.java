package dev.tsumugi.trainer.prompts;

import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.engine.files.ModelText;
import dev.tsumugi.engine.model.ModelConfig;
import dev.tsumugi.engine.tokenizer.ChatMessage;
import dev.tsumugi.platform.grounding.Refusals;
import dev.tsumugi.platform.prompt.AnswerPrompt;
import dev.tsumugi.platform.prompt.PromptBudget;
import dev.tsumugi.platform.prompt.QuestionTooLongException;
import dev.tsumugi.trainer.examples.Example;
import java.util.ArrayList;
import java.util.List;

/** Renders examples for one model, with the prompt and the budget that the generator answers with. */
public final class ExamplePrompts {
    private final PromptBudget budget;
    private final AnswerPrompt prompt;

    public ExamplePrompts(ModelText model, ModelConfig config) {
        budget = PromptBudget.forModel(config.hiddenSize()).within(config.contextLength());
        prompt = budget.prompt(text -> model.tokenizer().encodePlain(text).length);
    }

    public PromptBudget budget() {
        return budget;
    }

    /** @throws QuestionTooLongException when no context finds room beside the question */
    public List<ChatMessage> messages(Example example) {
        return prompt.messages(example.question(), passages(example), List.of()).stream()
                .map(turn -> new ChatMessage(turn.role(), turn.content()))
                .toList();
    }

    /** What the model is to say: where there is no answer, what the generator says then. */
    public static String answer(Example example) {
        return example.answerable() ? example.answer().strip() : Refusals.inLanguageOf(example.question());
    }

    /** The contexts as if they had been retrieved. */
    public static List<Hit> passages(Example example) {
        List<Hit> passages = new ArrayList<>();
        for (int i = 0; i < example.contexts().size(); i++) {
            String text = example.contexts().get(i);
            String document = example.documents().get(i).isEmpty()
                    ? "context-" + i
                    : example.documents().get(i);
            passages.add(new Hit(document, document + "#" + i, 1, "", "", text, 0, 0, 0, text.length()));
        }
        return passages;
    }
}
