package dev.tsumugi.gateway.access;

import dev.tsumugi.contracts.api.InternalHeaders;
import dev.tsumugi.gateway.errors.Problems;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.security.core.authority.SimpleGrantedAuthority;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.authentication.preauth.PreAuthenticatedAuthenticationToken;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.servlet.HandlerExceptionResolver;

/**
 * Knows the caller by {@code Authorization: Bearer KEY}. The admin sees every document of the tenant {@code default}, and may act for
 * others: {@code X-Tsumugi-Tenant} chooses the tenant, {@code X-Tsumugi-Principals} narrows what is seen to what these principals see.
 */
final class KeyAuthenticationFilter extends OncePerRequestFilter {
    private static final String SCHEME = "Bearer ";
    private static final String DEFAULT_TENANT = "default";
    private static final Pattern TENANT = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private final AdminKey adminKey;
    private final HandlerExceptionResolver problems;

    KeyAuthenticationFilter(AdminKey adminKey, HandlerExceptionResolver problems) {
        this.adminKey = adminKey;
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        String authorization = request.getHeader(HttpHeaders.AUTHORIZATION);
        if (authorization == null) {
            chain.doFilter(request, response);
            return;
        }
        SecurityContext context = SecurityContextHolder.createEmptyContext();
        try {
            checkKey(authorization);
            context.setAuthentication(new PreAuthenticatedAuthenticationToken(
                    callerOf(request), "", List.of(new SimpleGrantedAuthority("ROLE_ADMIN"))));
        } catch (ProblemException e) {
            problems.resolveException(request, response, null, e);
            return;
        }
        SecurityContextHolder.setContext(context);
        try {
            chain.doFilter(request, response);
        } finally {
            SecurityContextHolder.clearContext();
        }
    }

    private void checkKey(String authorization) {
        if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            throw Problems.unauthorized("Send the key as 'Authorization: Bearer KEY'.");
        }
        if (!adminKey.matches(authorization.substring(SCHEME.length()).strip())) {
            throw Problems.unauthorized("The key is not accepted. The first start writes it to the file admin.key.");
        }
    }

    private static Caller callerOf(HttpServletRequest request) {
        String tenant = request.getHeader(InternalHeaders.TENANT);
        if (tenant == null) {
            tenant = DEFAULT_TENANT;
        } else if (!TENANT.matcher(tenant).matches()) {
            throw Problems.field(
                    InternalHeaders.TENANT, "must be 1 to 64 letters, digits, '.', '_' or '-' when it is given");
        }
        String principals = principalsOf(request);
        if (principals == null) {
            return Caller.administrator(tenant);
        }
        try {
            return Caller.fromHeaders(tenant, principals);
        } catch (IllegalArgumentException e) {
            throw Problems.field(
                    InternalHeaders.PRINCIPALS, "must be a comma-separated list of URL-encoded principals");
        }
    }

    private static @Nullable String principalsOf(HttpServletRequest request) {
        List<String> values = Collections.list(request.getHeaders(InternalHeaders.PRINCIPALS));
        return values.isEmpty() ? null : String.join(",", values);
    }
}
