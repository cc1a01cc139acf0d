/** Large matrix products on the CPU by oneDNN; all other operations stay with the Vector API. */
@NullMarked
package dev.tsumugi.engine.onednn;

import org.jspecify.annotations.NullMarked;
