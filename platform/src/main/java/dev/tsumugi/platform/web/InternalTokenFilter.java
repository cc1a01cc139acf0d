package dev.tsumugi.platform.web;

import dev.tsumugi.contracts.api.InternalHeaders;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.regex.Pattern;
import org.springframework.http.MediaType;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Lets only calls with the deployment's token in, for tenant and principals in their headers are believed. Open is what an orchestrator
 * asks for, {@code /actuator/**}; everything else is closed, whatever it is mapped to.
 */
public final class InternalTokenFilter extends OncePerRequestFilter {
    /**
     * Held against the address as it was sent. The container resolves {@code ..} in the servlet path but Spring maps the address as sent, so
     * {@code /internal/documents/../../x} is one place for the one and another for the other; such addresses are never open.
     */
    private static final Pattern OPEN = Pattern.compile("/actuator(/[A-Za-z0-9_-]+)*");

    private final byte[] token;

    public InternalTokenFilter(String token) {
        this.token = token.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        String given = request.getHeader(InternalHeaders.TOKEN);
        boolean open = OPEN.matcher(request.getRequestURI()).matches();
        if (!open && (given == null || !MessageDigest.isEqual(token, given.getBytes(StandardCharsets.UTF_8)))) {
            response.setStatus(HttpServletResponse.SC_UNAUTHORIZED);
            response.setContentType(MediaType.APPLICATION_PROBLEM_JSON_VALUE);
            response.getWriter().write("""
                            {"type":"urn:tsumugi:problem:internal-token","title":"Unauthorized","status":401,\
                            "detail":"This address is for other services of the deployment. Call the gateway instead."}""");
            return;
        }
        chain.doFilter(request, response);
    }
}
