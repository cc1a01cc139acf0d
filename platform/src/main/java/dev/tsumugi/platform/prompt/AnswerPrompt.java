package dev.tsumugi.platform.prompt;

import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import dev.tsumugi.platform.grounding.Excerpts;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * Builds the messages of a grounded answer: excerpts of the passages first, the question last, because a small model attends best to what
 * it read last. The passages are not numbered: citations are found by comparison afterwards, and small models copy numbers at random.
 */
public final class AnswerPrompt {
    /** Names the texts and the order below; part of an answer's provenance. Change it with them. */
    public static final String VERSION = "answer-1";

    /** Before any of these an answer has ended: a small model goes on with a text or a question of its own. */
    public static final List<String> STOP = List.of("\n\n", "\nQuestion:", "\nText:");

    private static final String SYSTEM = load("system.txt");
    private static final String USER = load("user.txt");
    private static final int SMALLEST_USEFUL_EXCERPT = 32;
    private static final int MESSAGE_OVERHEAD = 16;

    private final ToIntFunction<String> tokens;
    private final int maxPromptTokens;
    private final int maxExcerptTokens;
    private final double focus;

    /**
     * @param tokens counts the tokens of a text
     * @param maxPromptTokens for all messages together
     * @param maxExcerptTokens what of them the passages may take
     * @param focus see {@link Excerpts#of}
     */
    public AnswerPrompt(ToIntFunction<String> tokens, int maxPromptTokens, int maxExcerptTokens, double focus) {
        this.tokens = tokens;
        this.maxPromptTokens = maxPromptTokens;
        this.maxExcerptTokens = maxExcerptTokens;
        this.focus = focus;
    }

    /**
     * @param passages best first
     * @param history earlier turns, oldest first; the latest ones get at most a quarter of the room
     * @throws QuestionTooLongException when the question alone leaves no room for a passage
     */
    public List<ChatTurn> messages(String question, List<Hit> passages, List<AskRequest.Turn> history) {
        int fixed = tokens.applyAsInt(SYSTEM) + tokens.applyAsInt(fill("", question)) + 2 * MESSAGE_OVERHEAD;
        int room = maxPromptTokens - fixed;
        if (room < SMALLEST_USEFUL_EXCERPT) {
            throw new QuestionTooLongException(fixed, maxPromptTokens - SMALLEST_USEFUL_EXCERPT);
        }
        List<ChatTurn> turns = latest(history, room / 4);
        for (ChatTurn turn : turns) {
            room -= cost(turn);
        }
        List<String> excerpts = Excerpts.of(question, passages, tokens, Math.min(room, maxExcerptTokens), focus);
        List<ChatTurn> messages = new ArrayList<>();
        messages.add(new ChatTurn("system", SYSTEM));
        messages.addAll(turns);
        messages.add(new ChatTurn("user", fill(String.join("\n\n", excerpts), question)));
        return messages;
    }

    private List<ChatTurn> latest(List<AskRequest.Turn> history, int room) {
        List<ChatTurn> kept = new ArrayList<>();
        int left = room;
        for (AskRequest.Turn turn : history.reversed()) {
            ChatTurn message = new ChatTurn(turn.role(), turn.content());
            left -= cost(message);
            if (left < 0) {
                break;
            }
            kept.addFirst(message);
        }
        // A conversation that begins with an answer has lost its question.
        while (!kept.isEmpty() && !kept.getFirst().role().equals("user")) {
            kept.removeFirst();
        }
        return kept;
    }

    private int cost(ChatTurn message) {
        return tokens.applyAsInt(message.content()) + MESSAGE_OVERHEAD;
    }

    private static String fill(String excerpts, String question) {
        // By position, so that an excerpt that holds the word {question} stays as it is.
        int at = USER.indexOf("{excerpts}");
        int then = USER.indexOf("{question}");
        return USER.substring(0, at)
                + excerpts
                + USER.substring(at + "{excerpts}".length(), then)
                + question.strip()
                + USER.substring(then + "{question}".length());
    }

    private static String load(String name) {
        try (InputStream in = AnswerPrompt.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is missing from the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
