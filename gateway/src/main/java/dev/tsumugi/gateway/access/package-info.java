/** Who may call: the admin key, what a caller may see, and how much a request may carry. */
@NullMarked
package dev.tsumugi.gateway.access;

import org.jspecify.annotations.NullMarked;
