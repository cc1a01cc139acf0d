/** Versioned sets to train on: which examples, in which split, and what happens to them when a document is deleted. */
@NullMarked
package dev.tsumugi.trainer.sets;

import org.jspecify.annotations.NullMarked;
