/** The running platform: state folder, ports, embedded servers and services, and the record of who runs. */
@NullMarked
package dev.tsumugi.launcher.runtime;

import org.jspecify.annotations.NullMarked;
