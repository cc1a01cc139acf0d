package dev.tsumugi.platform.grounding;

/** Tells the languages apart that answers are given in. */
public final class Languages {
    private Languages() {}

    public static boolean isJapanese(CharSequence text) {
        return Words.isEastAsian(text);
    }
}
