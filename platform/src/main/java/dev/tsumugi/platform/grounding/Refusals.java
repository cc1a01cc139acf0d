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

    /** Whether an answer says, in these words, that there is none. */
    public static boolean isRefusal(String answer) {
        String said = answer.strip();
        return said.startsWith(withoutStop(ENGLISH)) || said.startsWith(withoutStop(JAPANESE));
    }

    private static String withoutStop(String sentence) {
        return sentence.substring(0, sentence.length() - 1);
    }

    /** With the closest passage as citation 1. */
    public static String withClosest(String question) {
        return Languages.isJapanese(question) ? JAPANESE_CLOSEST : ENGLISH_CLOSEST;
    }
}
