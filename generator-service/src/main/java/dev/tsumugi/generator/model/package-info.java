/** The served model: opened in the background, warm before the service is ready. */
@NullMarked
package dev.tsumugi.generator.model;

import org.jspecify.annotations.NullMarked;
