/** Parsed text is cut into passages that fit the embedding model. */
@NullMarked
package dev.tsumugi.ingest.chunk;

import org.jspecify.annotations.NullMarked;
