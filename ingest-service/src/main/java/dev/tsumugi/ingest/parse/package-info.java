/** Files and texts of any supported format become plain text with its structure. */
@NullMarked
package dev.tsumugi.ingest.parse;

import org.jspecify.annotations.NullMarked;
