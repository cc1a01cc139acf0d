/** Looks for what would keep Tsumugi from running, and says how to mend it. */
@NullMarked
package dev.tsumugi.launcher.doctor;

import org.jspecify.annotations.NullMarked;
