/** What a person, or a script, gets to read. */
@NullMarked
package dev.tsumugi.launcher.terminal;

import org.jspecify.annotations.NullMarked;
