/** All of Tsumugi in one process, started and used by one command. */
@NullMarked
package dev.tsumugi.launcher;

import org.jspecify.annotations.NullMarked;
