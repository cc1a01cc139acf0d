/** What the services of Tsumugi say to each other: topic names, events and REST types; no logic. */
@NullMarked
package dev.tsumugi.contracts;

import org.jspecify.annotations.NullMarked;
