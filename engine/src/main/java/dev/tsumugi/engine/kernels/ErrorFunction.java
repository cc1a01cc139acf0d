package dev.tsumugi.engine.kernels;

/** The Gauss error function, to double precision. */
final class ErrorFunction {
    private static final double SERIES_UNTIL = 3;
    private static final int FRACTION_TERMS = 60;

    private ErrorFunction() {}

    /**
     * Below 3 by the series {@code 2/sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!!}, which has no cancellation; above by Laplace's
     * continued fraction of the complement. Source: Abramowitz and Stegun, 7.1.6 and 7.1.14.
     */
    static double erf(double x) {
        double a = Math.abs(x);
        if (a >= 6) {
            return Math.signum(x);
        }
        double result;
        if (a < SERIES_UNTIL) {
            double term = a;
            double sum = a;
            for (int n = 1; term > sum * 1e-17; n++) {
                term *= 2 * a * a / (2 * n + 1);
                sum += term;
            }
            result = 2 / Math.sqrt(Math.PI) * Math.exp(-a * a) * sum;
        } else {
            double fraction = a;
            for (int n = FRACTION_TERMS; n > 0; n--) {
                fraction = a + n / 2.0 / fraction;
            }
            result = 1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction);
        }
        return Math.copySign(result, x);
    }
}
