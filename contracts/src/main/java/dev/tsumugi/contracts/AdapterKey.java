package dev.tsumugi.contracts;

import java.util.regex.Pattern;

/**
 * Whose adapter is meant: {@code tenant/name}, the key of {@code adapter-registry}. What was trained on the documents of one tenant never
 * serves another; adapters that come with the product have no tenant, serve all, and have the key {@code /name}.
 *
 * @param tenant 1 to 64 letters, digits, {@code . _ -}; empty: serves all tenants
 * @param name 1 to 64 letters, digits, {@code . _ -}, the first a letter or digit; not {@code none}, which asks for no adapter
 */
public record AdapterKey(String tenant, String name) {
    /** Asks for the bare model where an adapter could be named. */
    public static final String NO_ADAPTER = "none";

    private static final Pattern TENANT = Pattern.compile("[A-Za-z0-9._-]{0,64}");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    /** @throws IllegalArgumentException naming the part that breaks the rules above */
    public AdapterKey {
        if (!TENANT.matcher(tenant).matches()) {
            throw new IllegalArgumentException("tenant must be up to 64 letters, digits, '.', '_' or '-'");
        }
        if (!NAME.matcher(name).matches() || name.equals(NO_ADAPTER)) {
            throw new IllegalArgumentException("an adapter's name must be 1 to 64 letters, digits, '.', '_' or '-', "
                    + "begin with a letter or digit, and not be '" + NO_ADAPTER + "'");
        }
    }

    /** @throws IllegalArgumentException when {@code key} is not of the form {@code tenant/name} */
    public static AdapterKey parse(String key) {
        int slash = key.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException("record key must be 'tenant/name', or '/name' for all tenants");
        }
        return new AdapterKey(key.substring(0, slash), key.substring(slash + 1));
    }

    /** The adapter of this name that serves all tenants. */
    public static AdapterKey shared(String name) {
        return new AdapterKey("", name);
    }

    public boolean isShared() {
        return tenant.isEmpty();
    }

    @Override
    public String toString() {
        return tenant + "/" + name;
    }
}
