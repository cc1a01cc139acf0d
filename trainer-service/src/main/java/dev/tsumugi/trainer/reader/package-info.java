/** The adapter that comes with Tsumugi, published once. */
@NullMarked
package dev.tsumugi.trainer.reader;

import org.jspecify.annotations.NullMarked;
