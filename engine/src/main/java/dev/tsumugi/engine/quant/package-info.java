/** Block formats of quantized weights. */
@NullMarked
package dev.tsumugi.engine.quant;

import org.jspecify.annotations.NullMarked;
