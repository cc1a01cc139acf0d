package dev.tsumugi.trainer.examples;

/**
 * Takes personal data out of what models learn from. A bean of this type replaces the built-in {@link PersonalDataPatterns}.
 */
@FunctionalInterface
public interface PersonalDataFilter {
    /** @return {@code text} with a tag such as {@code [email]} in place of each find; the same text when there is none */
    String withoutPersonalData(String text);
}
