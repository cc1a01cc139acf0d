/** Examples as the model will meet them when it serves. */
@NullMarked
package dev.tsumugi.trainer.prompts;

import org.jspecify.annotations.NullMarked;
