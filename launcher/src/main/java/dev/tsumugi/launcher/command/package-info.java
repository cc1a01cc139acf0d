/** The verbs of the command line. */
@NullMarked
package dev.tsumugi.launcher.command;

import org.jspecify.annotations.NullMarked;
