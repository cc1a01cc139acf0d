/** The way of a document from its event or upload to its published chunks. */
@NullMarked
package dev.tsumugi.ingest.document;

import org.jspecify.annotations.NullMarked;
