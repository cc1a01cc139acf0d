package dev.tsumugi.engine.model;

import dev.tsumugi.engine.kernels.Draw;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a forward pass gives for its output rows: all logits of a row, or only which is the largest or was drawn, which is found where the logits are
 * and spares their copy. Filled anew by each pass; its arrays grow with the largest batch.
 */
public final class OutputRows {
    private final int vocabulary;
    private boolean[] onlyLargest = new boolean[0];
    private int rows;
    float[] logits;
    int[] largest = new int[0];
    float[] leads = new float[0];

    @Nullable
    Draw[] draws = new Draw[0];

    private boolean drawn;

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
        outputs.begin(new boolean[rows], new Draw[rows], rows);
        return outputs;
    }

    /**
     * Makes room for the output rows of the next pass.
     *
     * @param onlyLargest of each row, whether {@link #largest} is enough; its logits are then not to be asked for
     * @param draws of each row, how its token may be drawn where the logits are; null: its logits are wanted, or only the largest
     */
    public void begin(boolean[] onlyLargest, @Nullable Draw[] draws, int rows) {
        this.rows = rows;
        this.draws = draws;
        drawn = false;
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

    boolean wantsDraws() {
        for (int r = 0; r < rows; r++) {
            if (draws[r] != null) {
                return true;
            }
        }
        return false;
    }

    /** How the token of {@code row} may be drawn where the logits are, or null. */
    public @Nullable Draw draw(int row) {
        return draws[row];
    }

    /** The places in {@link #largest} of rows with a draw hold what was drawn; their logits are not wanted. */
    void setDrawn() {
        drawn = true;
    }

    /** Whether the token of {@code row} was drawn, and nothing else of it is known. */
    public boolean isDrawn(int row) {
        return drawn && draws[row] != null;
    }

    /**
     * The token that was drawn.
     *
     * @throws IllegalStateException as {@link #largest}
     */
    public int drawn(int row) {
        return largest(row);
    }

    boolean wantsLogits() {
        for (int r = 0; r < rows; r++) {
            if (!onlyLargest[r] && !isDrawn(r)) {
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
