/** Training and adapters, passed to the trainer. */
@NullMarked
package dev.tsumugi.gateway.training;

import org.jspecify.annotations.NullMarked;
