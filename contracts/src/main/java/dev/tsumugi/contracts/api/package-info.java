/** REST request and response bodies, public ones and those between services. */
@NullMarked
package dev.tsumugi.contracts.api;

import org.jspecify.annotations.NullMarked;
