/**
 * Backends, the operations each must offer, and their implementations for the CPU. Letters: T tokens (rows), N outputs and K inputs of a
 * matrix, H query heads, G key/value heads, D head size, R rotary dimensions, V vocabulary.
 */
@NullMarked
package dev.tsumugi.engine.kernels;

import org.jspecify.annotations.NullMarked;
