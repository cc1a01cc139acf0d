package dev.tsumugi.gateway.access;

import dev.tsumugi.gateway.GatewayProperties;
import dev.tsumugi.gateway.errors.BodyTooLargeException;
import dev.tsumugi.gateway.errors.Problems;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.springframework.util.unit.DataSize;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.servlet.HandlerExceptionResolver;

/** Refuses a body that is too large: at once when its length is declared, else as soon as it exceeds the limit. */
final class BodyLimitFilter extends OncePerRequestFilter {
    private final GatewayProperties properties;
    private final HandlerExceptionResolver problems;

    BodyLimitFilter(GatewayProperties properties, HandlerExceptionResolver problems) {
        this.properties = properties;
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        DataSize limit = limitOf(request);
        if (request.getContentLengthLong() > limit.toBytes()) {
            problems.resolveException(request, response, null, Problems.tooLarge(limit));
            return;
        }
        chain.doFilter(isMultipartUpload(request) ? request : new LimitedRequest(request, limit), response);
    }

    private DataSize limitOf(HttpServletRequest request) {
        String path = request.getServletPath();
        if (isMultipartUpload(request)) {
            // The servlet container counts the parts, and holds each to maxUpload.
            return properties.maxUploadRequest();
        }
        if (path.startsWith("/api/v1/documents")
                || path.startsWith("/api/v1/training")
                || path.startsWith("/api/v1/adapters")) {
            return properties.maxUpload();
        }
        return path.startsWith("/v1/") ? properties.maxOpenAiBody() : properties.maxBody();
    }

    private static boolean isMultipartUpload(HttpServletRequest request) {
        String type = request.getContentType();
        return request.getServletPath().startsWith("/api/v1/documents")
                && type != null
                && type.regionMatches(true, 0, "multipart/form-data", 0, "multipart/form-data".length());
    }

    private static final class LimitedRequest extends HttpServletRequestWrapper {
        private final DataSize limit;
        private @Nullable ServletInputStream stream;

        LimitedRequest(HttpServletRequest request, DataSize limit) {
            super(request);
            this.limit = limit;
        }

        @Override
        public ServletInputStream getInputStream() throws IOException {
            if (stream == null) {
                stream = new LimitedStream(super.getInputStream(), limit);
            }
            return stream;
        }

        @Override
        public BufferedReader getReader() throws IOException {
            return new BufferedReader(new InputStreamReader(getInputStream(), StandardCharsets.UTF_8));
        }
    }

    private static final class LimitedStream extends ServletInputStream {
        private final ServletInputStream body;
        private final DataSize limit;
        private long count;

        LimitedStream(ServletInputStream body, DataSize limit) {
            this.body = body;
            this.limit = limit;
        }

        @Override
        public int read() throws IOException {
            int b = body.read();
            if (b >= 0) {
                counted(1);
            }
            return b;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int read = body.read(target, offset, length);
            if (read > 0) {
                counted(read);
            }
            return read;
        }

        private void counted(int bytes) throws BodyTooLargeException {
            count += bytes;
            if (count > limit.toBytes()) {
                throw new BodyTooLargeException(limit);
            }
        }

        @Override
        public boolean isFinished() {
            return body.isFinished();
        }

        @Override
        public boolean isReady() {
            return body.isReady();
        }

        @Override
        public void setReadListener(ReadListener listener) {
            body.setReadListener(listener);
        }
    }
}
