/** Calls to the services behind the gateway, and streams passed through from them. */
@NullMarked
package dev.tsumugi.gateway.downstream;

import org.jspecify.annotations.NullMarked;
