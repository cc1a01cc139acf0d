package dev.tsumugi.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.tsumugi.engine.Golden;
import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import dev.tsumugi.engine.kernels.VectorBackend;
import dev.tsumugi.engine.train.TrainingSettings.Schedule;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Recorded training by the Vector API, and the recorded learning rates. */
class GoldenTrainingTests extends GoldenTrainingContract {
    @Override
    protected Backend open() {
        return new VectorBackend(2, Precision.EXACT);
    }

    @Test
    void learningRatesAreThoseOfTransformers() {
        for (JsonNode recorded :
                JsonMapper.shared().readTree(Golden.path("train/schedules.json").toFile())) {
            Schedule schedule =
                    Schedule.valueOf(recorded.get("schedule").asString().toUpperCase(Locale.ROOT));
            for (int step = 1; step <= 20; step++) {
                double rate = LearningRate.of(
                        schedule,
                        recorded.get("lr").asDouble(),
                        recorded.get("warmup_steps").asInt(),
                        20,
                        step,
                        recorded.path("lr_end").asDouble(1e-7),
                        recorded.path("power").asDouble(1));
                assertThat(rate)
                        .as("%s, step %d", recorded, step)
                        .isCloseTo(
                                recorded.get("lr_of_step_1_to_22").get(step - 1).asDouble(), offset(1e-15));
            }
        }
    }
}
