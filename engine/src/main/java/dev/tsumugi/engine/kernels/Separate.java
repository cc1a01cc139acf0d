package dev.tsumugi.engine.kernels;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Methods that HotSpot compiles apart from their callers. It stops inlining in a compilation that has grown past some 60 vector operations, and
 * each operation that is left a call allocates its result; so a kernel of many operations must not share a compilation with others. HotSpot
 * looks through no handle that is not a constant, such as one from a field that is not static. It compiles a copy of the call for each handle
 * object that is called often, so there is one of each method, not one a matrix.
 */
final class Separate {
    private Separate() {}

    /** @return a handle of the static method {@code name} of the class that looks up, without result */
    static MethodHandle method(MethodHandles.Lookup lookup, String name, Class<?>... parameters) {
        try {
            return lookup.findStatic(lookup.lookupClass(), name, MethodType.methodType(void.class, parameters));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /** What a call threw, for {@code throw}: the methods declare no checked exceptions. */
    static RuntimeException rethrown(Throwable thrown) {
        if (thrown instanceof RuntimeException e) {
            return e;
        }
        if (thrown instanceof Error e) {
            throw e;
        }
        throw new AssertionError(thrown);
    }
}
