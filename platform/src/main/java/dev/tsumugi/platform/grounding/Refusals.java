package dev.tsumugi.platform.grounding;

/** What is said when the documents do not hold the answer. */
public final class Refusals {
    private static final String ENGLISH = "The documents do not hold the answer to this question.";
    private static final String JAPANESE = "この質問の答えは、文書の中に見つかりませんでした。";
    private static final String ENGLISH_CLOSEST = "No certain answer was found. This passage comes closest. [1]";
    private static final String JAPANESE_CLOSEST = "確かな答えは見つかりませんでした。最も近い箇所はこちらです。[1]";

    private Refusals() {}

    public static String inLanguageOf(String question) {
        return Languages.isJapanese(question) ? JAPANESE : ENGLISH;
    }

    /** With the closest passage as citation 1. */
    public static String withClosest(String question) {
        return Languages.isJapanese(question) ? JAPANESE_CLOSEST : ENGLISH_CLOSEST;
    }
}
