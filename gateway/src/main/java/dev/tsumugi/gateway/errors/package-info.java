/** Problem details of the public interface, and their OpenAI shape. */
@NullMarked
package dev.tsumugi.gateway.errors;

import org.jspecify.annotations.NullMarked;
