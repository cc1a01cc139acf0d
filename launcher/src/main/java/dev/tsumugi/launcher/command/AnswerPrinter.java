package dev.tsumugi.launcher.command;

import dev.tsumugi.contracts.api.AnswerEvent;
import dev.tsumugi.contracts.api.AskRequest;
import dev.tsumugi.contracts.api.AskResponse;
import dev.tsumugi.launcher.client.GatewayClient;
import dev.tsumugi.launcher.terminal.Output;
import dev.tsumugi.platform.grounding.Refusals;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Asks, and prints the answer while it arrives. */
final class AnswerPrinter {
    private static final int SHOWN_CHARACTERS = 200;

    private final GatewayClient gateway;
    private final Output output;
    private final StringBuilder streamed = new StringBuilder();
    private boolean done;

    AnswerPrinter(GatewayClient gateway, Output output) {
        this.gateway = gateway;
        this.output = output;
    }

    /** True when the answer came to its end; an answer that says that the documents do not tell is one. */
    boolean ask(String question, int limit, @Nullable String adapter) {
        done = false;
        streamed.setLength(0);
        gateway.ask(new AskRequest(question, limit, adapter, true, null), this::print);
        if (!done) {
            output.say("");
            output.say("The answer broke off. See the logs in the state folder (./tsumugi doctor says where that is).");
            output.object("error", "the answer broke off");
        }
        return done;
    }

    void print(AnswerEvent event) {
        output.object(event);
        if (event.delta() != null) {
            streamed.append(event.delta());
            output.piece(event.delta());
        }
        if (event.error() != null) {
            output.say("");
            output.say("Error: " + event.error());
        }
        if (event.done() != null) {
            done = true;
            output.say("");
            printVerdict(event.done());
            printSources(event.done());
        }
    }

    /** The last word is the whole answer's: what was streamed may turn out to be supported by no passage. */
    private void printVerdict(AskResponse answer) {
        if (streamed.toString().isBlank()) {
            output.say(answer.answer());
        } else if (!answer.answered() && !streamed.toString().strip().equals(answer.answer())) {
            if (!Refusals.isRefusal(streamed.toString())) {
                output.say("  Taken back, because no passage supports it.");
            }
            output.say(answer.answer());
        }
    }

    private void printSources(AskResponse answer) {
        if (answer.degraded() != null) {
            output.say("  Note: " + answer.degraded());
        }
        for (AskResponse.Citation citation : answer.citations()) {
            output.say("  [" + citation.marker() + "] " + citation.title() + " (" + citation.documentId()
                    + ", characters " + citation.start() + " to " + citation.end() + ")");
            output.say("      " + Passages.oneLine(citation.quote(), SHOWN_CHARACTERS));
        }
        output.say(String.format(
                Locale.ROOT,
                "  %s, %d tokens, first after %.1f s, all after %.1f s",
                answer.provenance().model(),
                answer.usage().completionTokens(),
                answer.timings().firstTokenMillis() / 1000.0,
                answer.timings().totalMillis() / 1000.0));
    }
}
