/** Text to token ids and back, and chat templates. */
@NullMarked
package dev.tsumugi.engine.tokenizer;

import org.jspecify.annotations.NullMarked;
