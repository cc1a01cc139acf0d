/** Training examples: read from several formats, stored once and without personal data, listed. */
@NullMarked
package dev.tsumugi.trainer.examples;

import org.jspecify.annotations.NullMarked;
