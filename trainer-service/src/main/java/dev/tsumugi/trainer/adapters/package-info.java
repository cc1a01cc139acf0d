/** Adapters: stored by content, named, promoted and rolled back; PostgreSQL is the truth, of which the topic is a copy. */
@NullMarked
package dev.tsumugi.trainer.adapters;

import org.jspecify.annotations.NullMarked;
