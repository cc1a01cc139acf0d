/** Training examples: read from several formats, stored once, listed. */
@NullMarked
package dev.tsumugi.trainer.examples;

import org.jspecify.annotations.NullMarked;
