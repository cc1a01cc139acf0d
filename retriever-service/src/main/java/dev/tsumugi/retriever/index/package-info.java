/** The index: what is stored of each document, and how a new version takes the place of the old one at once. */
@NullMarked
package dev.tsumugi.retriever.index;

import org.jspecify.annotations.NullMarked;
