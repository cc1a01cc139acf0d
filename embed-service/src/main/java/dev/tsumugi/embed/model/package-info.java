/** The embedding model: its files, its tokenizer and one ONNX Runtime session. */
@NullMarked
package dev.tsumugi.embed.model;

import org.jspecify.annotations.NullMarked;
