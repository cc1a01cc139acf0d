/** Training jobs and schedules, as far as they are built. */
@NullMarked
package dev.tsumugi.trainer.jobs;

import org.jspecify.annotations.NullMarked;
