/** Keeps what models learn from: examples, and what readers think of answers. */
@NullMarked
package dev.tsumugi.trainer;

import org.jspecify.annotations.NullMarked;
