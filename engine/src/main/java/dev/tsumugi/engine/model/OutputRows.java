package dev.tsumugi.engine.model;

import java.util.Arrays;

/**
 * What a forward pass gives for its output rows: all logits of a row, or only which is the largest, which is found where the logits are and
 * spares their copy. Filled anew by each pass; its arrays grow with the largest batch.
 */
public final class OutputRows {
    private final int vocabulary;
    private boolean[] onlyLargest = new boolean[0];
    private int rows;
    float[] logits;
    int[] largest = new int[0];
    float[] leads = new float[0];

    public OutputRows(int vocabulary) {
        this(vocabulary, new float[0]);
    }

    private OutputRows(int vocabulary, float[] logits) {
        this.vocabulary = vocabulary;
        this.logits = logits;
    }

    /** All logits of {@code rows} rows, into {@code logits} [rows][V]. */
    static OutputRows into(float[] logits, int rows, int vocabulary) {
        if ((long) rows * vocabulary > logits.length) {
            throw new IllegalArgumentException(
                    rows + " rows of " + vocabulary + " logits do not fit an array of " + logits.length);
        }
        OutputRows outputs = new OutputRows(vocabulary, logits);
        outputs.begin(new boolean[rows], rows);
        return outputs;
    }

    /**
     * Makes room for the output rows of the next pass.
     *
     * @param onlyLargest of each row, whether {@link #largest} is enough; its logits are then not to be asked for
     */
    public void begin(boolean[] onlyLargest, int rows) {
        this.rows = rows;
        if (this.onlyLargest.length < rows) {
            int more = rows + 15 & -16;
            this.onlyLargest = new boolean[more];
            largest = new int[more];
            leads = new float[more];
        }
        System.arraycopy(onlyLargest, 0, this.onlyLargest, 0, rows);
        Arrays.fill(this.onlyLargest, rows, this.onlyLargest.length, false);
        long needed = wantsLogits() ? (long) rows * vocabulary : 0;
        if (logits.length < needed) {
            logits = new float[Math.toIntExact(needed)];
        }
    }

    public int rows() {
        return rows;
    }

    public int vocabulary() {
        return vocabulary;
    }

    /** Whether only the largest logit of {@code row} is known. */
    public boolean hasOnlyLargest(int row) {
        return onlyLargest[row];
    }

    boolean wantsLargest() {
        for (int r = 0; r < rows; r++) {
            if (onlyLargest[r]) {
                return true;
            }
        }
        return false;
    }

    boolean wantsLogits() {
        for (int r = 0; r < rows; r++) {
            if (!onlyLargest[r]) {
                return true;
            }
        }
        return false;
    }

    /**
     * The token with the row's largest logit.
     *
     * @throws IllegalStateException when one of the row's logits is no number, or the largest is not finite
     */
    public int largest(int row) {
        if (largest[row] < 0) {
            throw new IllegalStateException("the model gave a logit that is no number, or no finite largest one");
        }
        return largest[row];
    }

    /** For models that compute elsewhere than on this project's backends: says what {@link #largest} and {@link #lead} of a row are. */
    public void setLargest(int row, int token, float lead) {
        largest[row] = token;
        leads[row] = lead;
    }

    /** How far the next largest logit of a row with {@link #hasOnlyLargest} is below the largest one. */
    public float lead(int row) {
        return leads[row];
    }

    /** [rows][V] row-major, those of rows with {@link #hasOnlyLargest} undefined; may be written to until the next pass. */
    public float[] logits() {
        return logits;
    }

    /** Where a row begins in {@link #logits}. */
    public int firstLogit(int row) {
        return row * vocabulary;
    }
}
