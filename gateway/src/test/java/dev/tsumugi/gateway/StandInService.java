package dev.tsumugi.gateway;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;

/** A small HTTP server in place of one service; a test says what it answers. */
final class StandInService implements AutoCloseable {
    private final HttpServer server;
    private final Map<String, HttpHandler> handlers = new ConcurrentHashMap<>();
    private final List<Received> received = new CopyOnWriteArrayList<>();

    /** @param target path and query as they came, still encoded */
    record Received(String method, String target, com.sun.net.httpserver.Headers headers) {}

    StandInService() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            received.add(new Received(
                    exchange.getRequestMethod(), exchange.getRequestURI().toString(), exchange.getRequestHeaders()));
            HttpHandler handler = handlers.get(
                    exchange.getRequestMethod() + " " + exchange.getRequestURI().getRawPath());
            if (handler == null) {
                answer(exchange, 404, "application/problem+json", """
                        {"type":"urn:tsumugi:problem:not-found","title":"Not Found","status":404,"detail":"No such thing."}""");
            } else {
                handler.handle(exchange);
            }
        });
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    void on(String methodAndPath, HttpHandler handler) {
        handlers.put(methodAndPath, handler);
    }

    void on(String methodAndPath, int status, String json) {
        on(methodAndPath, exchange -> {
            exchange.getRequestBody().readAllBytes();
            answer(exchange, status, status < 400 ? "application/json" : "application/problem+json", json);
        });
    }

    Received last() {
        return received.getLast();
    }

    int calls() {
        return received.size();
    }

    void forget() {
        handlers.clear();
        received.clear();
    }

    static void answer(HttpExchange exchange, int status, String type, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
