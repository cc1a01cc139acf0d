/** Block pool, scheduler and engine loop: many requests through one model. */
@NullMarked
package dev.tsumugi.engine.serve;

import org.jspecify.annotations.NullMarked;
