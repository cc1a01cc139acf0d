package dev.tsumugi.trainer.examples;

import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Finds what has a form: e-mail addresses, telephone numbers, payment cards (Luhn's check digit, ISO/IEC 7812-1) and Japanese individual
 * numbers, "My Number" (check digit of the Ordinance of the Ministry of Internal Affairs and Communications No. 85 of 2014, article 5).
 * Names, addresses and everything else without a form it does not find. One number in ten has a right check digit by chance.
 */
final class PersonalDataPatterns implements PersonalDataFilter {
    /** Parts are bounded, so that no text makes the search slow. */
    private static final Pattern EMAIL = Pattern.compile(
            "(?<![\\w.+-])[\\w.+-]{1,64}@[\\p{L}\\p{N}-]{1,63}(?:\\.[\\p{L}\\p{N}-]{1,63}){1,8}(?![\\w-])");

    /** 13 to 19 digits, in one run or in groups. */
    private static final Pattern CARD = Pattern.compile("(?<![\\d-])\\d(?:[ -]?\\d){12,18}(?![\\d-])");

    /** 12 digits, in one run or in threes of four. */
    private static final Pattern MY_NUMBER = Pattern.compile("(?<!\\d[ -]?)\\d{4}([ -]?)\\d{4}\\1\\d{4}(?![ -]?\\d)");

    /** International numbers; Japanese ones with their leading 0; and groups of three, three and four as in North America. */
    private static final Pattern PHONE = Pattern.compile("(?<![\\d+.-])(?:"
            + "\\+\\d{1,3}[ -]?(?:\\(\\d{1,4}\\)[ -]?)?\\d{1,4}(?:[ -]?\\d{2,4}){1,4}"
            + "|0\\d{1,4}-\\d{1,4}-\\d{3,4}"
            + "|\\(0\\d{1,4}\\) ?\\d{1,4}-\\d{3,4}"
            + "|0[5789]0\\d{8}"
            + "|\\(?\\d{3}\\)?[ -]\\d{3}-\\d{4}"
            + ")(?![\\d-])");

    @Override
    public String withoutPersonalData(String text) {
        String left = replace(EMAIL, text, "[email]", found -> true);
        left = replace(CARD, left, "[card]", PersonalDataPatterns::isCard);
        left = replace(MY_NUMBER, left, "[my-number]", PersonalDataPatterns::isMyNumber);
        return replace(PHONE, left, "[phone]", found -> true);
    }

    private static String replace(Pattern pattern, String text, String tag, Predicate<String> is) {
        return pattern.matcher(text)
                .replaceAll((MatchResult found) -> is.test(found.group())
                        ? java.util.regex.Matcher.quoteReplacement(tag)
                        : java.util.regex.Matcher.quoteReplacement(found.group()));
    }

    /** The digits, every second one from the right doubled and the digits of the double added up, come to a multiple of ten. */
    private static boolean isCard(String found) {
        int[] digits = digits(found);
        int sum = 0;
        for (int i = 0; i < digits.length; i++) {
            int digit = digits[digits.length - 1 - i];
            int counted = i % 2 == 0 ? digit : 2 * digit;
            sum += counted > 9 ? counted - 9 : counted;
        }
        return sum % 10 == 0 && digits[0] != 0;
    }

    /** With P the n-th digit from the right before the check digit and Q = n + 1 (n up to 6) or n - 5: 11 - (sum of P Q mod 11), 10 and 11 count as 0. */
    private static boolean isMyNumber(String found) {
        int[] digits = digits(found);
        int sum = 0;
        for (int n = 1; n <= 11; n++) {
            sum += digits[11 - n] * (n <= 6 ? n + 1 : n - 5);
        }
        int rest = sum % 11;
        return digits[11] == (rest <= 1 ? 0 : 11 - rest);
    }

    private static int[] digits(String text) {
        return text.chars()
                .filter(Character::isDigit)
                .map(Character::getNumericValue)
                .toArray();
    }
}
