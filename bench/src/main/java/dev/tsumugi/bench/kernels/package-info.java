/** Kernels of the engine as JMH times them, and what the machine can do at most; public because JMH needs it so. */
@NullMarked
package dev.tsumugi.bench.kernels;

import org.jspecify.annotations.NullMarked;
