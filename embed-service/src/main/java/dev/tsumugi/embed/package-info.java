/** The embed service: chunks of documents and questions to vectors, over Kafka and REST. */
@NullMarked
package dev.tsumugi.embed;

import org.jspecify.annotations.NullMarked;
