/** Keeps this replica on what adapter-registry says: fetch, verify, probe, flip, drain; and reports how far it is. */
@NullMarked
package dev.tsumugi.generator.adapter;

import org.jspecify.annotations.NullMarked;
