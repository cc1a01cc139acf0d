/** The web page and the description of the interface. */
@NullMarked
package dev.tsumugi.gateway.page;

import org.jspecify.annotations.NullMarked;
