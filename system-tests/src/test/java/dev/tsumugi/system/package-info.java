/** Tests that drive the whole platform from outside, and tests of the whole source tree. */
@NullMarked
package dev.tsumugi.system;

import org.jspecify.annotations.NullMarked;
