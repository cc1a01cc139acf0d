package dev.tsumugi.engine.onednn;

import dev.tsumugi.engine.kernels.MatrixView;
import dev.tsumugi.engine.kernels.TrainingKernels;
import dev.tsumugi.engine.kernels.Weight;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** The Vector API's operations of training, except for products with frozen weights and attention. */
final class OneDnnTrainingKernels implements TrainingKernels {
    /** A multiple of the floats in any vector of the processors that oneDNN is for. */
    private static final int WHOLE_VECTORS = 16;

    private final TrainingKernels vector;
    private final OneDnnKernels kernels;
    private final @Nullable AttentionByOneDnn attention;

    /** @param attention null where the Vector API's is wanted */
    OneDnnTrainingKernels(TrainingKernels vector, OneDnnKernels kernels, @Nullable AttentionByOneDnn attention) {
        this.vector = vector;
        this.kernels = kernels;
        this.attention = attention;
    }

    @Override
    public void product(MatrixView out, MatrixView a, MatrixView b, boolean add) {
        vector.product(out, a, b, add);
    }

    @Override
    public void linear(Tensor out, Tensor x, int rows, Weight weight, @Nullable Tensor bias, Addend... addends) {
        kernels.linear(out, x, rows, weight, bias, addends);
    }

    @Override
    public void scale(Tensor out, Tensor x, int count, float factor) {
        vector.scale(out, x, count, factor);
    }

    @Override
    public void rmsNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        vector.rmsNormBackward(dX, dOut, x, rows, width, weight, epsilon);
    }

    @Override
    public void layerNormBackward(Tensor dX, Tensor dOut, Tensor x, int rows, int width, Tensor weight, float epsilon) {
        vector.layerNormBackward(dX, dOut, x, rows, width, weight, epsilon);
    }

    @Override
    public void headNorm(
            Tensor out,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int headSize,
            Tensor weight,
            float epsilon) {
        vector.headNorm(out, x, rows, stride, firstHead, heads, headSize, weight, epsilon);
    }

    @Override
    public void headNormBackward(
            Tensor dX,
            Tensor x,
            int rows,
            int stride,
            int firstHead,
            int heads,
            int headSize,
            Tensor weight,
            float epsilon) {
        vector.headNormBackward(dX, x, rows, stride, firstHead, heads, headSize, weight, epsilon);
    }

    @Override
    public void rope(
            Tensor x,
            int stride,
            int heads,
            int headSize,
            int[] positions,
            float[] cosines,
            float[] sines,
            int pairs,
            boolean backward) {
        vector.rope(x, stride, heads, headSize, positions, cosines, sines, pairs, backward);
    }

    @Override
    public void attention(Tensor out, Tensor logSums, Tensor heads, AttentionShape shape) {
        if (attention == null) {
            vector.attention(out, logSums, heads, shape);
            return;
        }
        shape.require(out, logSums, heads);
        attention.forward(address(out), address(logSums), address(heads), shape);
    }

    @Override
    public void attentionBackward(
            Tensor dHeads, Tensor dOut, Tensor out, Tensor logSums, Tensor heads, AttentionShape shape) {
        if (attention == null) {
            vector.attentionBackward(dHeads, dOut, out, logSums, heads, shape);
            return;
        }
        shape.require(out, logSums, heads);
        shape.require(dOut, logSums, dHeads);
        attention.backward(address(dHeads), address(dOut), address(out), address(logSums), address(heads), shape);
    }

    @Override
    public DType keptType(int width) {
        return attention != null && width % WHOLE_VECTORS == 0 ? DType.BF16 : DType.F32;
    }

    @Override
    public void swiGlu(Tensor out, Tensor gateUp, @Nullable Tensor kept, int rows, int width) {
        vector.swiGlu(out, gateUp, kept, rows, width);
    }

    @Override
    public void swiGluBackward(Tensor dGateUp, Tensor dOut, Tensor gateUp, int rows, int width) {
        vector.swiGluBackward(dGateUp, dOut, gateUp, rows, width);
    }

    @Override
    public void gelu(Tensor out, Tensor x, int count, boolean tanh) {
        vector.gelu(out, x, count, tanh);
    }

    @Override
    public void geluBackward(Tensor dX, Tensor dOut, Tensor x, int count, boolean tanh) {
        vector.geluBackward(dX, dOut, x, count, tanh);
    }

    @Override
    public double crossEntropy(
            Tensor logits, int[] targets, int rows, int vocabulary, double smoothing, float gradientScale) {
        return vector.crossEntropy(logits, targets, rows, vocabulary, smoothing, gradientScale);
    }

    @Override
    public void dropout(Tensor out, Tensor x, int rows, int width, int seed, float probability) {
        vector.dropout(out, x, rows, width, seed, probability);
    }

    private static long address(Tensor tensor) {
        return tensor.segment().address();
    }
}
