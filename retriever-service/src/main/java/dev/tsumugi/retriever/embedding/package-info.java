/** Vectors from embed-service. */
@NullMarked
package dev.tsumugi.retriever.embedding;

import org.jspecify.annotations.NullMarked;
