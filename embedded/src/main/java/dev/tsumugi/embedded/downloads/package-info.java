/** Fetches what is not a Maven artifact (PostgreSQL, the default language model): pinned, verified, cached outside the checkout. */
@NullMarked
package dev.tsumugi.embedded.downloads;

import org.jspecify.annotations.NullMarked;
