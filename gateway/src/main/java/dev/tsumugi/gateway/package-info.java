/** The only door of the platform: REST, OpenAI-compatible API and web page. */
@NullMarked
package dev.tsumugi.gateway;

import org.jspecify.annotations.NullMarked;
