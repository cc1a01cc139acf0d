package dev.tsumugi.trainer.adapters;

import dev.tsumugi.contracts.AdapterKey;

/** There is no adapter of this name, or it is deleted. */
public final class UnknownAdapterNameException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UnknownAdapterNameException(AdapterKey key) {
        super("There is no adapter named " + key.name() + ".");
    }
}
