/** Documents in and out. */
@NullMarked
package dev.tsumugi.gateway.documents;

import org.jspecify.annotations.NullMarked;
