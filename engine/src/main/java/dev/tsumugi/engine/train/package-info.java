/**
 * LoRA training of the models that the engine serves: the forward pass with what its backward needs, the backward written out, optimizers,
 * schedules, and a loop that resumes exactly. Letters: T tokens of a micro-batch, C hidden size, N outputs and K inputs of a linear layer, R
 * ranks of the adapters that read one activation.
 *
 * <p>{@link dev.tsumugi.engine.train.LoraTraining} is the way in: open it with {@link dev.tsumugi.engine.train.TrainingSettings}, make {@link
 * dev.tsumugi.engine.train.TrainingSequence}s with its help, and run it with a {@link dev.tsumugi.engine.train.TrainingListener}. What cannot be
 * trained is a {@link dev.tsumugi.engine.train.TrainingRefusedException} that says what to mend.
 */
@NullMarked
package dev.tsumugi.engine.train;

import org.jspecify.annotations.NullMarked;
