/** Chat and text completions in the shapes of the OpenAI API. */
@NullMarked
package dev.tsumugi.generator.openai;

import org.jspecify.annotations.NullMarked;
