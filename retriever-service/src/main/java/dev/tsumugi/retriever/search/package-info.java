/** Searching the index by vector, by terms, or by both. */
@NullMarked
package dev.tsumugi.retriever.search;

import org.jspecify.annotations.NullMarked;
