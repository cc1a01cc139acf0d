/** Terms of texts for the lexical leg of a search. */
@NullMarked
package dev.tsumugi.retriever.terms;

import org.jspecify.annotations.NullMarked;
