/** Events as JSON, work off the poll thread, dead letters. */
@NullMarked
package dev.tsumugi.platform.kafka;

import org.jspecify.annotations.NullMarked;
