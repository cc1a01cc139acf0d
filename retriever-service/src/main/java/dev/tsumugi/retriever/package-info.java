/** The retriever service: keeps the index in PostgreSQL and searches it. */
@NullMarked
package dev.tsumugi.retriever;

import org.jspecify.annotations.NullMarked;
