/** Training jobs and schedules: one at a time in each trainer, each once in a cluster, resumed after a crash. */
@NullMarked
package dev.tsumugi.trainer.jobs;

import org.jspecify.annotations.NullMarked;
