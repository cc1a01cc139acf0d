package dev.tsumugi.trainer.retrieval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.tsumugi.engine.train.PassageExample;
import dev.tsumugi.engine.train.TrainingSequence;
import dev.tsumugi.platform.adapters.QueryAdapter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class QueryAdapterTrainingTests {
    private static final int DIMENSION = 12;
    private static final TrainingSequence NO_TEXT = TrainingSequence.of("x", new int[] {1}, new int[] {2});

    private static PassageExample example(Random random) {
        List<PassageExample.Passage> passages = new ArrayList<>();
        for (int k = 0; k < 3; k++) {
            passages.add(new PassageExample.Passage(NO_TEXT, unit(random)));
        }
        return new PassageExample("e", unit(random), passages);
    }

    private static float[] unit(Random random) {
        float[] vector = new float[DIMENSION];
        double square = 0;
        for (int i = 0; i < DIMENSION; i++) {
            vector[i] = (float) random.nextGaussian();
            square += vector[i] * vector[i];
        }
        for (int i = 0; i < DIMENSION; i++) {
            vector[i] /= (float) Math.sqrt(square);
        }
        return vector;
    }

    private static QueryAdapterTraining trained(Random random) {
        QueryAdapterTraining training = new QueryAdapterTraining("g", DIMENSION, 3);
        for (int i = 0; i < training.values().length; i++) {
            training.values()[i] = random.nextGaussian() * 0.3;
        }
        return training;
    }

    @Test
    void untrained_it_scores_by_the_embedding_model_alone() {
        PassageExample example = example(new Random(1));
        double product = 0;
        for (int i = 0; i < DIMENSION; i++) {
            product += example.question()[i] * example.passages().get(1).vector()[i];
        }
        assertThat(new QueryAdapterTraining("g", DIMENSION, 3).scores(example)[1])
                .isCloseTo(product / QueryAdapterTraining.TEMPERATURE, within(1e-4));
    }

    @Test
    void every_gradient_is_that_of_finite_differences() {
        Random random = new Random(2);
        PassageExample example = example(random);
        QueryAdapterTraining training = trained(random);
        double[] weights = {0.7, -1.1, 0.4};
        training.clearGradients();
        training.backward(example, weights);
        for (int i = 0; i < training.values().length; i++) {
            double before = training.values()[i];
            training.values()[i] = before + 1e-5;
            double above = sum(training.scores(example), weights);
            training.values()[i] = before - 1e-5;
            double below = sum(training.scores(example), weights);
            training.values()[i] = before;
            assertThat(training.gradients()[i]).isCloseTo((above - below) / 2e-5, within(1e-4));
        }
    }

    private static double sum(double[] scores, double[] weights) {
        double sum = 0;
        for (int k = 0; k < scores.length; k++) {
            sum += scores[k] * weights[k];
        }
        return sum;
    }

    @Test
    void what_is_written_moves_questions_as_training_does_and_goes_through_its_file_unchanged() {
        Random random = new Random(4);
        PassageExample example = example(random);
        QueryAdapterTraining training = trained(random);
        QueryAdapter read = QueryAdapter.parse(training.adapter().content());
        float[] moved = read.apply(example.question());
        double[] scores = training.scores(example);
        for (int k = 0; k < 3; k++) {
            double product = 0;
            for (int i = 0; i < DIMENSION; i++) {
                product += moved[i] * example.passages().get(k).vector()[i];
            }
            assertThat(product / QueryAdapterTraining.TEMPERATURE).isCloseTo(scores[k], within(1e-3));
        }
        assertThat(read.indexGeneration()).isEqualTo("g");
    }

    @Test
    void steps_lower_what_they_descend_and_a_saved_state_goes_on_with_the_same_bits() throws IOException {
        Random random = new Random(5);
        PassageExample example = example(random);
        QueryAdapterTraining training = new QueryAdapterTraining("g", DIMENSION, 3);
        double before = training.scores(example)[0];
        for (int step = 1; step <= 20; step++) {
            descend(training, example, step);
        }
        assertThat(training.scores(example)[0]).isLessThan(before - 10);

        ByteArrayOutputStream saved = new ByteArrayOutputStream();
        training.save(new DataOutputStream(saved));
        QueryAdapterTraining other = new QueryAdapterTraining("g", DIMENSION, 9);
        other.load(new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
        descend(training, example, 21);
        descend(other, example, 21);
        assertThat(other.values()).containsExactly(training.values());
    }

    private static void descend(QueryAdapterTraining training, PassageExample example, int step) {
        training.clearGradients();
        training.backward(example, new double[] {1, 0, 0});
        training.step(step, 0.01);
    }
}
