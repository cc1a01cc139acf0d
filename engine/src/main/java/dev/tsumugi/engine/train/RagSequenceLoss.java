package dev.tsumugi.engine.train;

/**
 * The loss of RAG-Sequence: {@code -log sum_z p(z|x) prod_i p(y_i | x, z, y_<i)} over the retrieved passages z, where p(z|x) is the softmax of
 * their scores. Source: Lewis et al., arXiv 2005.11401, section 2.1.
 *
 * <p>With the posterior {@code r = softmax(log p(z|x) + log p(y|x,z))}, the gradient by the logarithm of each answer's probability is {@code -r},
 * and by each score {@code p(z|x) - r}.
 *
 * @param loss of the one answer, summed over its tokens
 * @param posterior [K] how much each passage explains the answer; sums to 1
 * @param dScores [K] gradient by each score
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record RagSequenceLoss(double loss, double[] posterior, double[] dScores) {

    /**
     * @param scores [K]
     * @param logLikelihoods [K] log p(y|x,z)
     */
    static RagSequenceLoss of(double[] scores, double[] logLikelihoods) {
        double[] joint = new double[scores.length];
        double normalizer = logSumExp(scores);
        for (int k = 0; k < joint.length; k++) {
            joint[k] = scores[k] - normalizer + logLikelihoods[k];
        }
        double marginal = logSumExp(joint);
        double[] posterior = new double[joint.length];
        double[] dScores = new double[joint.length];
        for (int k = 0; k < joint.length; k++) {
            posterior[k] = Math.exp(joint[k] - marginal);
            dScores[k] = Math.exp(scores[k] - normalizer) - posterior[k];
        }
        return new RagSequenceLoss(-marginal, posterior, dScores);
    }

    private static double logSumExp(double[] values) {
        double largest = Double.NEGATIVE_INFINITY;
        for (double value : values) {
            largest = Math.max(largest, value);
        }
        double sum = 0;
        for (double value : values) {
            sum += Math.exp(value - largest);
        }
        return largest + Math.log(sum);
    }
}
