/**
 * LoRA adapters: folders as PEFT writes them, and those that an engine holds ready.
 */
@NullMarked
package dev.tsumugi.engine.adapter;

import org.jspecify.annotations.NullMarked;
