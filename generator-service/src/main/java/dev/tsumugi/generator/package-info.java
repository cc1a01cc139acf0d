/** Answers questions from passages with a language model in this process, over HTTP and Kafka. */
@NullMarked
package dev.tsumugi.generator;

import org.jspecify.annotations.NullMarked;
