/** Calls to services of which there are several. */
@NullMarked
package dev.tsumugi.trainer.replicas;

import org.jspecify.annotations.NullMarked;
