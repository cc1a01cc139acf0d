/** Ties answers to the passages they rest on, without trusting the model: relevance of what was retrieved, and citations of what was said. */
@NullMarked
package dev.tsumugi.platform.grounding;

import org.jspecify.annotations.NullMarked;
