/** Contents of documents, stored once under their SHA-256. */
@NullMarked
package dev.tsumugi.ingest.blob;

import org.jspecify.annotations.NullMarked;
