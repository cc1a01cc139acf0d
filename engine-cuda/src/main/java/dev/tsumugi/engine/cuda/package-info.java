/** Backend on NVIDIA GPUs: our kernels, loaded and launched through the driver's C interface alone. */
@NullMarked
package dev.tsumugi.engine.cuda;

import org.jspecify.annotations.NullMarked;
