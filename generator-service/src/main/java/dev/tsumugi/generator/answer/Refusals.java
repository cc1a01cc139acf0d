package dev.tsumugi.generator.answer;

import dev.tsumugi.generator.grounding.Languages;

/** What is said when the documents do not hold the answer. */
final class Refusals {
    private static final String ENGLISH = "The documents do not hold the answer to this question.";
    private static final String JAPANESE = "この質問の答えは、文書の中に見つかりませんでした。";

    private Refusals() {}

    static String inLanguageOf(String question) {
        return Languages.isJapanese(question) ? JAPANESE : ENGLISH;
    }
}
