/** The operations a backend must offer, and their implementations for the CPU. */
@NullMarked
package dev.tsumugi.engine.kernels;

import org.jspecify.annotations.NullMarked;
