package dev.tsumugi.platform.web;

import dev.tsumugi.contracts.api.InternalHeaders;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import org.springframework.http.MediaType;
import org.springframework.web.filter.OncePerRequestFilter;

/** Lets only calls with the deployment's token reach {@code /internal/**}: tenant and principals in their headers are believed. */
public final class InternalTokenFilter extends OncePerRequestFilter {
    private final byte[] token;

    public InternalTokenFilter(String token) {
        this.token = token.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    protected boolean shouldNotFilter(HttpServletRequest request) {
        return request.getRequestURI().startsWith("/actuator/health");
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        String given = request.getHeader(InternalHeaders.TOKEN);
        // The servlet path is decoded and normalised: /x/../internal and /%69nternal do not slip through.
        boolean internal = request.getServletPath().startsWith("/internal");
        if (internal && (given == null || !MessageDigest.isEqual(token, given.getBytes(StandardCharsets.UTF_8)))) {
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
