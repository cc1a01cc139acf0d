/** How a service starts, and what all of them share. */
@NullMarked
package dev.tsumugi.platform;

import org.jspecify.annotations.NullMarked;
