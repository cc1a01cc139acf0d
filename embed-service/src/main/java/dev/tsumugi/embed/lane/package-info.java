/** Lanes that collect texts of many callers into full batches, so that questions do not wait behind documents. */
@NullMarked
package dev.tsumugi.embed.lane;

import org.jspecify.annotations.NullMarked;
