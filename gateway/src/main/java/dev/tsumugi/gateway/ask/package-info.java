/** Search, and answers with citations. */
@NullMarked
package dev.tsumugi.gateway.ask;

import org.jspecify.annotations.NullMarked;
