/** The OpenAI-compatible interface. */
@NullMarked
package dev.tsumugi.gateway.openai;

import org.jspecify.annotations.NullMarked;
