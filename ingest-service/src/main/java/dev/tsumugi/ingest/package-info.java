/** ingest-service: documents come in by Kafka and REST, are parsed and cut into chunks. */
@NullMarked
package dev.tsumugi.ingest;

import org.jspecify.annotations.NullMarked;
