/** Benchmarks of the engine and of the running platform; each checks its answer before it times it. */
@NullMarked
package dev.tsumugi.bench;

import org.jspecify.annotations.NullMarked;
