/** What readers think of answers. */
@NullMarked
package dev.tsumugi.trainer.feedback;

import org.jspecify.annotations.NullMarked;
