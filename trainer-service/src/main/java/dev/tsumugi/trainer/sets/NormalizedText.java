package dev.tsumugi.trainer.sets;

import java.text.Normalizer;
import java.util.Locale;

/** Text as far as it counts for being the same: letters and digits, in one width and in small letters. */
final class NormalizedText {
    private NormalizedText() {}

    static String of(String text) {
        StringBuilder kept = new StringBuilder(text.length());
        Normalizer.normalize(text, Normalizer.Form.NFKC)
                .toLowerCase(Locale.ROOT)
                .codePoints()
                .filter(Character::isLetterOrDigit)
                .forEach(kept::appendCodePoint);
        return kept.toString();
    }
}
