package dev.tsumugi.contracts.api;

/** Headers between services. The gateway sets them from the caller's identity; nothing from outside may. */
public final class InternalHeaders {
    /** Shared secret of one deployment; every call between services carries it. */
    public static final String TOKEN = "X-Tsumugi-Internal-Token";
    /** Tenant on whose behalf the call is made. */
    public static final String TENANT = "X-Tsumugi-Tenant";
    /** Comma-separated, URL-encoded principals of the caller; {@code *} reads every document of the tenant; absent: only open ones. */
    public static final String PRINCIPALS = "X-Tsumugi-Principals";

    private InternalHeaders() {}
}
