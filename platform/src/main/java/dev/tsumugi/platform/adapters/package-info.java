/** The store of adapters that trainer and generators share. */
@NullMarked
package dev.tsumugi.platform.adapters;

import org.jspecify.annotations.NullMarked;
