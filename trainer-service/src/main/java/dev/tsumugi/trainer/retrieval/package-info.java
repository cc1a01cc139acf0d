/** Passages for training examples, fetched ahead from all retrievers. */
@NullMarked
package dev.tsumugi.trainer.retrieval;

import org.jspecify.annotations.NullMarked;
