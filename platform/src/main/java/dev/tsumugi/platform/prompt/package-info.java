/** What the model is asked: passages, question and instruction within a budget of tokens. */
@NullMarked
package dev.tsumugi.platform.prompt;

import org.jspecify.annotations.NullMarked;
