package dev.tsumugi.engine.train;

/** Training that cannot be, with what to mend: unfit data or settings, too little memory, another run's checkpoint, or numbers that ran away. */
public final class TrainingRefusedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Kinds of reasons, for callers that tell them apart. */
    public enum Reason {
        /** No sequence is left to train on. */
        EMPTY,
        /** No token is a target. */
        NOTHING_TO_LEARN,
        /** A sequence of the validation set is in the training set too. */
        LEAK,
        /** Tokens that are not the model's, or a chat template that no answer fits. */
        MISMATCH,
        /** Settings that do not fit the model. */
        SETTINGS,
        /** More memory than there is. */
        MEMORY,
        /** A checkpoint of other data, settings or model, or an unsound one. */
        CHECKPOINT,
        /** NaN or infinity. */
        DIVERGED
    }

    private final Reason reason;

    public TrainingRefusedException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public TrainingRefusedException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
