/** Speaks the gateway's public REST API. */
@NullMarked
package dev.tsumugi.launcher.client;

import org.jspecify.annotations.NullMarked;
