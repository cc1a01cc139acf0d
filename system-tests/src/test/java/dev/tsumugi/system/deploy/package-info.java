/** What is shipped to run Tsumugi in containers holds together. */
@NullMarked
package dev.tsumugi.system.deploy;

import org.jspecify.annotations.NullMarked;
