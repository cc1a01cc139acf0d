/** What is known about each document: its version, content and state. */
@NullMarked
package dev.tsumugi.ingest.registry;

import org.jspecify.annotations.NullMarked;
