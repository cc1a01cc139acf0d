/** The model that adapters are made for. */
@NullMarked
package dev.tsumugi.trainer.base;

import org.jspecify.annotations.NullMarked;
