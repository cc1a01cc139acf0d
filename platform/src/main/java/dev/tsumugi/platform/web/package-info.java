/** Problem details, the caller's identity, and calls between services. */
@NullMarked
package dev.tsumugi.platform.web;

import org.jspecify.annotations.NullMarked;
