/** Grounded, cited, streamed answers. */
@NullMarked
package dev.tsumugi.generator.answer;

import org.jspecify.annotations.NullMarked;
