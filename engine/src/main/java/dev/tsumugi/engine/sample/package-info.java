/** From logits to the next token. */
@NullMarked
package dev.tsumugi.engine.sample;

import org.jspecify.annotations.NullMarked;
