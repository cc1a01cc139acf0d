/**
 * Model families and what one forward pass takes. Letters: T tokens of a batch, S sequences, C hidden size, H query heads, G key/value
 * heads, D head size, F intermediate size, V vocabulary, L layers.
 */
@NullMarked
package dev.tsumugi.engine.model;

import org.jspecify.annotations.NullMarked;
