/** Kafka events; every value carries {@code schemaVersion}, every key is {@code tenant/id}. */
@NullMarked
package dev.tsumugi.contracts.event;

import org.jspecify.annotations.NullMarked;
