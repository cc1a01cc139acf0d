/** Memory, tensors and the backend that owns them. */
@NullMarked
package dev.tsumugi.engine.tensor;

import org.jspecify.annotations.NullMarked;
