/** Readers of model files: GGUF, safetensors, and the configuration beside them. */
@NullMarked
package dev.tsumugi.engine.files;

import org.jspecify.annotations.NullMarked;
