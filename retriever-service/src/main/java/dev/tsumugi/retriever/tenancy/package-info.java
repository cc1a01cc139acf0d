/** Transactions that see one tenant's rows only. */
@NullMarked
package dev.tsumugi.retriever.tenancy;

import org.jspecify.annotations.NullMarked;
