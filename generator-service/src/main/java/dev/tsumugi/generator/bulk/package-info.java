/** Answers to questions that come over Kafka. */
@NullMarked
package dev.tsumugi.generator.bulk;

import org.jspecify.annotations.NullMarked;
