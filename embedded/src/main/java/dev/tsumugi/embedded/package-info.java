/** Kafka and PostgreSQL with pgvector as child processes, without Docker: builder, start, close. */
@NullMarked
package dev.tsumugi.embedded;

import org.jspecify.annotations.NullMarked;
