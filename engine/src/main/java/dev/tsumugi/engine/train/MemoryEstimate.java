package dev.tsumugi.engine.train;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.model.ModelFiles;
import dev.tsumugi.engine.tensor.DType;
import dev.tsumugi.engine.tensor.Tensor;
import dev.tsumugi.engine.train.DecoderShape.Group;
import dev.tsumugi.engine.train.DecoderShape.Module;
import dev.tsumugi.engine.train.TrainingSettings.BaseWeights;
import dev.tsumugi.engine.train.TrainingSettings.OptimizerKind;
import java.util.List;

/** Foretells memory from shapes alone. */
final class MemoryEstimate {
    /** Java with its heap and compiled code, and what native libraries compile, as measured; about. */
    private static final long PROGRAM_BYTES = 224L << 20;

    private final ModelFiles files;
    private final DecoderShape shape;
    private final TrainingSettings settings;
    private final Backend backend;

    MemoryEstimate(ModelFiles files, DecoderShape shape, TrainingSettings settings, Backend backend) {
        this.files = files;
        this.shape = shape;
        this.settings = settings;
        this.backend = backend;
    }

    MemoryForecast forecast(boolean computesTwice) {
        long trainable = shape.trainable(settings);
        boolean bytes = settings.optimizer() == OptimizerKind.PAGED_ADAMW_8BIT;
        int capacity = LoraTraining.capacity(files.config(), settings);
        boolean headNorms =
                files.tensor("model.layers.0.self_attn.q_norm.weight").isPresent();
        long perToken = Decoder.bytesPerToken(
                files.config(),
                shape,
                loraShape(),
                Decoder.keptType(files.config(), backend),
                headNorms,
                computesTwice);
        return new MemoryForecast(
                base(),
                12 * trainable,
                bytes ? 2 * trainable + trainable / 32 : 8 * trainable,
                perToken * capacity,
                4L
                        * Decoder.chunkRows(files.config(), capacity)
                        * files.config().vocabularySize(),
                PROGRAM_BYTES,
                computesTwice);
    }

    private long base() {
        long bytes = 0;
        for (Group group : shape.all()) {
            for (Module module : group.modules()) {
                Tensor stored = files.tensor(module.name() + ".weight").orElse(null);
                boolean inLayer = group != shape.head();
                boolean nf4 = inLayer && settings.base() == BaseWeights.NF4;
                DType type = stored == null ? DType.F32 : stored.dtype();
                boolean coarse = nf4 || type.isQuantized();
                boolean coarseForward = coarse && !group.attentionInput();
                double both = backend.frozenBytesPerWeight(type, nf4, coarseForward, coarse && inLayer);
                bytes += (long) (both * module.outputs() * group.inputs());
            }
        }
        return bytes;
    }

    private Decoder.LoraShape loraShape() {
        int most = 0;
        int first = -1;
        for (int layer = 0; layer < shape.layers(); layer++) {
            int ranks = 0;
            for (int g = 0; g < DecoderShape.GROUPS; g++) {
                List<Module> modules = shape.group(layer, g).modules();
                ranks += settings.rank()
                        * (int) modules.stream()
                                .filter(module -> shape.targets(settings, module))
                                .count();
            }
            if (ranks > 0 && first < 0) {
                first = layer;
            }
            most = Math.max(most, ranks);
        }
        return new Decoder.LoraShape(most, first < 0 ? shape.layers() : first);
    }
}
