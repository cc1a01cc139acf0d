/** Candidate against champion on what neither has seen: what is measured, and what is good enough to be promoted. */
@NullMarked
package dev.tsumugi.trainer.gate;

import org.jspecify.annotations.NullMarked;
