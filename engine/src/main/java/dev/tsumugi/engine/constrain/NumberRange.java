package dev.tsumugi.engine.constrain;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The numbers between two bounds as a regular expression over their digits: at most 18 before the point, 17 behind it, no exponent.
 *
 * @param low null for none
 * @param high null for none
 */
record NumberRange(
        @Nullable BigDecimal low,
        boolean lowIncluded,
        @Nullable BigDecimal high,
        boolean highIncluded) {
    private static final int INTEGER_DIGITS = 18;
    private static final int FRACTION_DIGITS = 17;
    private static final BigInteger LARGEST = BigInteger.TEN.pow(INTEGER_DIGITS).subtract(BigInteger.ONE);
    private static final Regex NOTHING = new Regex.Choice(List.of());

    boolean isUnbounded() {
        return low == null && high == null;
    }

    /** Integers in the range; a {@link Regex.Choice} of nothing when there is none. */
    Regex integers() {
        BigInteger least = LARGEST.negate();
        if (low != null) {
            BigInteger ceiling = low.setScale(0, RoundingMode.CEILING).toBigInteger();
            boolean next = !lowIncluded && new BigDecimal(ceiling).compareTo(low) == 0;
            least = least.max(next ? ceiling.add(BigInteger.ONE) : ceiling);
        }
        BigInteger most = LARGEST;
        if (high != null) {
            BigInteger floor = high.setScale(0, RoundingMode.FLOOR).toBigInteger();
            boolean previous = !highIncluded && new BigDecimal(floor).compareTo(high) == 0;
            most = most.min(previous ? floor.subtract(BigInteger.ONE) : floor);
        }
        List<Regex> signs = new ArrayList<>();
        signs.add(integers(least.max(BigInteger.ZERO), most));
        Regex negative = integers(most.negate().max(BigInteger.ONE), least.negate());
        signs.add(Regex.sequence(Regex.literal("-"), negative));
        return new Regex.Choice(signs);
    }

    /** Integers that are not negative, in decimal, from {@code least} to {@code most}. */
    private static Regex integers(BigInteger least, BigInteger most) {
        if (least.compareTo(most) > 0) {
            return NOTHING;
        }
        List<Regex> byLength = new ArrayList<>();
        String last = most.toString();
        for (String first = least.toString();
                first.length() <= last.length();
                first = "1" + "0".repeat(first.length())) {
            boolean longest = first.length() == last.length();
            byLength.add(sameLength(first, longest ? last : "9".repeat(first.length())));
        }
        return new Regex.Choice(byLength);
    }

    private static Regex sameLength(String first, String last) {
        int digits = first.length();
        if (digits == 0) {
            return Regex.EMPTY;
        }
        if (first.equals("0".repeat(digits)) && last.equals("9".repeat(digits))) {
            return digits(digits, digits);
        }
        char low = first.charAt(0);
        char high = last.charAt(0);
        if (low == high) {
            return Regex.sequence(digit(low, low), sameLength(first.substring(1), last.substring(1)));
        }
        List<Regex> choices = new ArrayList<>();
        choices.add(Regex.sequence(digit(low, low), sameLength(first.substring(1), "9".repeat(digits - 1))));
        if (low + 1 < high) {
            choices.add(Regex.sequence(digit((char) (low + 1), (char) (high - 1)), digits(digits - 1, digits - 1)));
        }
        choices.add(Regex.sequence(digit(high, high), sameLength("0".repeat(digits - 1), last.substring(1))));
        return new Regex.Choice(choices);
    }

    /** Numbers with or without a fraction. */
    Regex decimals() {
        List<Regex> signs = new ArrayList<>();
        if (high == null || high.signum() > 0 || high.signum() == 0 && highIncluded) {
            BigDecimal least = low == null || low.signum() < 0 ? BigDecimal.ZERO : low;
            signs.add(positive(least, low == null || low.signum() < 0 || lowIncluded, high, highIncluded));
        }
        if (low == null || low.signum() < 0) {
            BigDecimal least = high == null || high.signum() > 0 ? BigDecimal.ZERO : high.negate();
            // Minus zero is left out.
            boolean included = high != null && high.signum() < 0 && highIncluded;
            BigDecimal most = low == null ? null : low.negate();
            signs.add(Regex.sequence(Regex.literal("-"), positive(least, included, most, lowIncluded)));
        }
        return new Regex.Choice(signs);
    }

    private static Regex positive(
            BigDecimal least, boolean leastIncluded, @Nullable BigDecimal most, boolean mostIncluded) {
        BigInteger from = least.toBigInteger();
        Bound above = new Bound(fraction(least), leastIncluded);
        if (most == null || most.toBigInteger().compareTo(LARGEST) > 0) {
            Regex lowest = Regex.sequence(integers(from, from), withFraction(above, Bound.NONE));
            return Regex.choice(
                    lowest,
                    Regex.sequence(integers(from.add(BigInteger.ONE), LARGEST), withFraction(Bound.NONE, Bound.NONE)));
        }
        BigInteger to = most.toBigInteger();
        Bound below = new Bound(fraction(most), mostIncluded);
        if (from.equals(to)) {
            return Regex.sequence(integers(from, from), withFraction(above, below));
        }
        if (from.compareTo(to) > 0) {
            return NOTHING;
        }
        return Regex.choice(
                Regex.sequence(integers(from, from), withFraction(above, Bound.NONE)),
                Regex.sequence(
                        integers(from.add(BigInteger.ONE), to.subtract(BigInteger.ONE)),
                        withFraction(Bound.NONE, Bound.NONE)),
                Regex.sequence(integers(to, to), withFraction(Bound.NONE, below)));
    }

    /** Digits behind the point without trailing zeros. */
    private static String fraction(BigDecimal number) {
        BigDecimal rest = number.remainder(BigDecimal.ONE).abs().stripTrailingZeros();
        return rest.signum() == 0 ? "" : rest.toPlainString().substring(2);
    }

    /**
     * A limit of a fraction whose first digits have been read and agree with it.
     *
     * @param digits those that follow, then zeros
     */
    private record Bound(String digits, boolean included) {
        /** No limit any more, or none at all. */
        static final Bound NONE = new Bound("none", true);

        boolean isNone() {
            return this == NONE;
        }

        char first() {
            return digits.isEmpty() ? '0' : digits.charAt(0);
        }

        Bound rest() {
            return digits.isEmpty() ? this : new Bound(digits.substring(1), included);
        }
    }

    private static Regex withFraction(Bound above, Bound below) {
        List<Regex> choices = new ArrayList<>();
        if (zeroIsWithin(above, below)) {
            choices.add(Regex.EMPTY);
        }
        choices.add(Regex.sequence(Regex.literal("."), fraction(above, below, FRACTION_DIGITS)));
        return new Regex.Choice(choices);
    }

    private static boolean zeroIsWithin(Bound above, Bound below) {
        boolean enough = above.isNone() || above.digits().isEmpty() && above.included();
        boolean little = below.isNone() || !below.digits().isEmpty() || below.included();
        return enough && little;
    }

    /** One digit and up to {@code most - 1} more. */
    private static Regex fraction(Bound above, Bound below, int most) {
        if (most == 0) {
            return NOTHING;
        }
        if (above.isNone() && below.isNone()) {
            return digits(1, most);
        }
        List<Regex> choices = new ArrayList<>();
        for (char digit = '0'; digit <= '9'; digit++) {
            if (!above.isNone() && digit < above.first() || !below.isNone() && digit > below.first()) {
                continue;
            }
            Bound nextAbove = above.isNone() || digit > above.first() ? Bound.NONE : above.rest();
            Bound nextBelow = below.isNone() || digit < below.first() ? Bound.NONE : below.rest();
            if (!nextAbove.isNone() && nextAbove.digits().isEmpty() && nextAbove.included()) {
                nextAbove = Bound.NONE;
            }
            if (!nextBelow.isNone() && nextBelow.digits().isEmpty() && !nextBelow.included()) {
                continue;
            }
            List<Regex> tails = new ArrayList<>();
            if (zeroIsWithin(nextAbove, nextBelow)) {
                tails.add(Regex.EMPTY);
            }
            tails.add(fraction(nextAbove, nextBelow, most - 1));
            choices.add(Regex.sequence(digit(digit, digit), new Regex.Choice(tails)));
        }
        return new Regex.Choice(choices);
    }

    private static Regex digit(char first, char last) {
        return new Regex.Chars(CharSet.range(first, last));
    }

    private static Regex digits(int min, int max) {
        return new Regex.Repeat(digit('0', '9'), min, max);
    }
}
