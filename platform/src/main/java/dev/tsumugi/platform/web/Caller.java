package dev.tsumugi.platform.web;

import dev.tsumugi.contracts.api.InternalHeaders;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;

/**
 * On whose behalf a call between services is made. A controller method takes it as a parameter.
 *
 * @param principals whose documents may be read, besides those open to everyone of the tenant
 * @param readsAll every document of the tenant may be read, whatever its ACL
 */
public record Caller(String tenant, List<String> principals, boolean readsAll) {
    private static final String ALL = "*";
    private static final int MAX_PRINCIPALS = 256;

    public Caller {
        principals = List.copyOf(principals);
    }

    /** Sees every document of {@code tenant}. */
    public static Caller administrator(String tenant) {
        return new Caller(tenant, List.of(), true);
    }

    /** @throws ProblemException 400 when the tenant is missing, there are too many principals, or one holds control characters */
    public static Caller fromHeaders(@Nullable String tenant, @Nullable String principals) {
        if (tenant == null || tenant.isBlank()) {
            throw ProblemException.badRequest(
                    "tenant-missing", "The header " + InternalHeaders.TENANT + " is missing.");
        }
        if (principals == null || principals.isBlank()) {
            return new Caller(tenant, List.of(), false);
        }
        if (principals.equals(ALL)) {
            return administrator(tenant);
        }
        String[] parts = principals.split(",");
        if (parts.length > MAX_PRINCIPALS) {
            throw ProblemException.badRequest(
                    "too-many-principals", "At most " + MAX_PRINCIPALS + " principals can be named.");
        }
        List<String> decoded = Arrays.stream(parts)
                .map(part -> URLDecoder.decode(part.strip(), StandardCharsets.UTF_8))
                .toList();
        if (decoded.stream().anyMatch(principal -> principal.chars().anyMatch(Character::isISOControl))) {
            throw ProblemException.badRequest("principal-invalid", "A principal must not hold control characters.");
        }
        return new Caller(tenant, decoded, false);
    }

    /** Writes tenant and principals into the headers of a call to another service. */
    public void writeTo(HttpHeaders headers) {
        headers.set(InternalHeaders.TENANT, tenant);
        if (readsAll) {
            headers.set(InternalHeaders.PRINCIPALS, ALL);
        } else if (!principals.isEmpty()) {
            headers.set(
                    InternalHeaders.PRINCIPALS,
                    principals.stream()
                            .map(principal -> URLEncoder.encode(principal, StandardCharsets.UTF_8))
                            // A principal that is literally "*" must not turn into "all".
                            .map(encoded -> encoded.equals(ALL) ? "%2A" : encoded)
                            .collect(Collectors.joining(",")));
        }
    }
}
