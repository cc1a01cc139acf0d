package dev.tsumugi.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.web.util.UriUtils;
import tools.jackson.databind.JsonNode;

class DocumentsIT {
    private static final String RECEIVED = "{\"id\":\"a\",\"version\":1,\"state\":\"RECEIVED\",\"chunks\":0}";
    private static final String BOUNDARY = "tsumugi-test-boundary";

    private RunningGateway gateway;

    @BeforeEach
    void start() {
        gateway = RunningGateway.shared();
    }

    private void accept(String encodedPath) {
        gateway.ingest.on("PUT " + encodedPath, 202, RECEIVED);
    }

    private static String part(String disposition, String content) {
        return "--" + BOUNDARY + "\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n";
    }

    private HttpResponse<String> upload(String path, String method, String... parts) throws Exception {
        return gateway.send(gateway.request(path)
                .header("Content-Type", "multipart/form-data; boundary=" + BOUNDARY)
                .method(method, BodyPublishers.ofString(String.join("", parts) + "--" + BOUNDARY + "--\r\n")));
    }

    @Test
    void a_document_goes_to_ingest_with_its_description() throws Exception {
        CompletableFuture<String> content = new CompletableFuture<>();
        gateway.ingest.on(
                "PUT /internal/documents/hr/%E8%A6%8F%E5%89%87%20100%25.md",
                exchange -> {
                    content.complete(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
                    StandInService.answer(exchange, 202, "application/json", RECEIVED);
                });
        HttpResponse<String> response =
                gateway.send(gateway.request("/api/v1/documents/hr%2F%E8%A6%8F%E5%89%87%20100%25.md")
                        .header("Content-Type", "text/markdown")
                        .header("X-Tsumugi-Title", "%E5%B0%B1%E6%A5%AD%E8%A6%8F%E5%89%87 50% C++")
                        .header("X-Tsumugi-Acl", "alice, group%2Ceast")
                        .header("X-Tsumugi-Metadata", "team=hr,year=2026")
                        .PUT(BodyPublishers.ofString("# 規則")));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(202);
        assertThat(RunningGateway.json(response).path("state").asString()).isEqualTo("RECEIVED");
        assertThat(content.get()).isEqualTo("# 規則");
        var headers = gateway.ingest.last().headers();
        assertThat(headers.getFirst("Content-Type")).isEqualTo("text/markdown");
        assertThat(headers.getFirst("X-Tsumugi-Acl")).isEqualTo("alice,group%2Ceast");
        assertThat(headers.getFirst("X-Tsumugi-Metadata")).isEqualTo("team=hr,year=2026");
    }

    @Test
    void a_title_may_be_encoded_or_plain() throws Exception {
        accept("/internal/documents/a");
        gateway.send(gateway.request("/api/v1/documents/a")
                .header("X-Tsumugi-Title", "%E5%B0%B1%E6%A5%AD%E8%A6%8F%E5%89%87")
                .PUT(BodyPublishers.ofString("x")));
        assertThat(gateway.ingest.last().headers().getFirst("X-Tsumugi-Title"))
                .isEqualTo("%E5%B0%B1%E6%A5%AD%E8%A6%8F%E5%89%87");
        gateway.send(gateway.request("/api/v1/documents/a")
                .header("X-Tsumugi-Title", "50% off C++")
                .PUT(BodyPublishers.ofString("x")));
        assertThat(gateway.ingest.last().headers().getFirst("X-Tsumugi-Title")).isEqualTo("50%25%20off%20C%2B%2B");
    }

    @Test
    void a_document_sent_as_curl_sends_forms_is_still_a_document() throws Exception {
        CompletableFuture<String> content = new CompletableFuture<>();
        gateway.ingest.on("PUT /internal/documents/a", exchange -> {
            content.complete(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            StandInService.answer(exchange, 202, "application/json", RECEIVED);
        });
        gateway.send(gateway.request("/api/v1/documents/a")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .PUT(BodyPublishers.ofString("a=b&c=d")));
        assertThat(content.get(10, TimeUnit.SECONDS)).isEqualTo("a=b&c=d");
        assertThat(gateway.ingest.last().headers().getFirst("Content-Type"))
                .isNotEqualTo("application/x-www-form-urlencoded");
    }

    @Test
    void many_files_become_documents_named_after_them() throws Exception {
        accept("/internal/documents/one.txt");
        accept("/internal/documents/docs/%E4%BA%8C.md");
        HttpResponse<String> response = upload(
                "/api/v1/documents",
                "POST",
                part("name=\"file\"; filename=\"one.txt\"", "1"),
                part("name=\"file\"; filename=\"..\\docs\\二.md\"", "2"),
                part("name=\"file\"; filename=\"refused.bin\"", "3"),
                part("name=\"acl\"", "alice"));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(202);
        JsonNode report = RunningGateway.json(response);
        assertThat(report.path("documents")).hasSize(2);
        assertThat(report.path("refused")).hasSize(1);
        assertThat(report.path("refused").path(0).path("fileName").asString()).isEqualTo("refused.bin");
        assertThat(gateway.ingest.last().headers().getFirst("X-Tsumugi-Acl")).isEqualTo("alice");
    }

    @Test
    void a_form_may_name_the_id_of_its_only_file() throws Exception {
        accept("/internal/documents/handbook");
        assertThat(upload(
                                "/api/v1/documents",
                                "POST",
                                part("name=\"id\"", "handbook"),
                                part("name=\"file\"; filename=\"x.txt\"", "1"))
                        .statusCode())
                .isEqualTo(202);
        assertThat(gateway.ingest.last().headers().getFirst("X-Tsumugi-File-Name"))
                .isEqualTo("x.txt");
        assertThat(upload("/api/v1/documents/handbook", "PUT", part("name=\"file\"; filename=\"x.txt\"", "1"))
                        .statusCode())
                .isEqualTo(202);
    }

    @Test
    void a_form_without_a_file_says_what_is_missing() throws Exception {
        HttpResponse<String> response = upload("/api/v1/documents", "POST", part("name=\"title\"", "x"));
        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(RunningGateway.json(response).path("field").asString()).isEqualTo("file");
    }

    @Test
    void a_form_that_is_cut_off_is_a_400() throws Exception {
        HttpResponse<String> response = gateway.send(gateway.request("/api/v1/documents")
                .header("Content-Type", "multipart/form-data; boundary=" + BOUNDARY)
                .POST(BodyPublishers.ofString(
                        part("name=\"file\"; filename=\"a\"", "1").substring(0, 60))));
        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(RunningGateway.json(response).path("type").asString()).contains("malformed-multipart");
    }

    @Test
    void an_upload_flows_through_without_waiting_for_its_end() throws Exception {
        CountDownLatch firstBytesArrived = new CountDownLatch(1);
        AtomicLong count = new AtomicLong();
        gateway.ingest.on("PUT /internal/documents/big", exchange -> {
            byte[] buffer = new byte[65536];
            InputStream in = exchange.getRequestBody();
            int read;
            while ((read = in.read(buffer)) >= 0) {
                count.addAndGet(read);
                firstBytesArrived.countDown();
            }
            StandInService.answer(exchange, 202, "application/json", RECEIVED);
        });
        long total = 48L * 1024 * 1024;
        HttpResponse<String> response = gateway.send(gateway.request("/api/v1/documents/big")
                .PUT(BodyPublishers.ofInputStream(() -> new InputStream() {
                    private long sent;

                    @Override
                    public int read() {
                        throw new UnsupportedOperationException("read in blocks");
                    }

                    @Override
                    public int read(byte[] target, int offset, int length) throws IOException {
                        // After the first megabytes: goes on only when ingest has seen some of them.
                        if (sent > 4 * 1024 * 1024) {
                            try {
                                if (!firstBytesArrived.await(20, TimeUnit.SECONDS)) {
                                    throw new IOException("the gateway holds the upload back");
                                }
                            } catch (InterruptedException e) {
                                throw new IOException(e);
                            }
                        }
                        if (sent >= total) {
                            return -1;
                        }
                        int now = (int) Math.min(length, total - sent);
                        sent += now;
                        return now;
                    }
                })));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(202);
        assertThat(count.get()).isEqualTo(total);
    }

    @Test
    void a_document_over_the_limit_is_refused_with_and_without_a_declared_length() throws Exception {
        accept("/internal/documents/huge");
        byte[] huge = new byte[65 * 1024 * 1024];
        HttpResponse<String> declared = gateway.send(
                gateway.request("/api/v1/documents/huge").expectContinue(true).PUT(BodyPublishers.ofByteArray(huge)));
        assertThat(declared.statusCode()).isEqualTo(413);
        assertThat(RunningGateway.json(declared).path("detail").asString()).contains("64 MB");
        HttpResponse<String> chunked = gateway.send(gateway.request("/api/v1/documents/huge")
                .PUT(BodyPublishers.fromPublisher(BodyPublishers.ofByteArray(huge))));
        assertThat(chunked.statusCode()).as(chunked.body()).isEqualTo(413);
    }

    @Test
    void a_list_is_paged() throws Exception {
        gateway.ingest.on(
                "GET /internal/documents", 200, "{\"documents\":[" + RECEIVED + "],\"total\":7,\"next\":\"a\"}");
        JsonNode page = RunningGateway.json(gateway.get("/api/v1/documents?limit=1&after=%E3%81%82%26x"));
        assertThat(page.path("total").asInt()).isEqualTo(7);
        assertThat(gateway.ingest.last().target()).isEqualTo("/internal/documents?limit=1&after=%E3%81%82%26x");
        assertThat(gateway.get("/api/v1/documents?limit=0").statusCode()).isEqualTo(400);
        assertThat(gateway.get("/api/v1/documents?limit=x").statusCode()).isEqualTo(400);
    }

    @Test
    void a_document_is_deleted_by_its_id() throws Exception {
        gateway.ingest.on("DELETE /internal/documents/a/b", 202, RECEIVED);
        assertThat(gateway.send(gateway.request("/api/v1/documents/a/b").DELETE())
                        .statusCode())
                .isEqualTo(202);
    }

    @Test
    void a_document_of_others_is_refused_as_such() throws Exception {
        gateway.ingest.on("PUT /internal/documents/taken", 403, """
                {"type":"urn:tsumugi:problem:document-not-yours","title":"Forbidden","status":403,"detail":"Choose another id."}""");
        HttpResponse<String> response =
                gateway.send(gateway.request("/api/v1/documents/taken").PUT(BodyPublishers.ofString("Mine now.")));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(403);
        assertThat(RunningGateway.json(response).path("type").asString())
                .isEqualTo("urn:tsumugi:problem:document-not-yours");
    }

    @Test
    void many_files_with_long_names_come_in_one_form() throws Exception {
        String folder = "規則".repeat(100);
        String[] parts = IntStream.range(0, 200)
                .mapToObj(i -> {
                    accept("/internal/documents/" + UriUtils.encode(folder, StandardCharsets.UTF_8) + "/" + i + ".txt");
                    return part("name=\"file\"; filename=\"" + folder + "/" + i + ".txt\"", "text " + i);
                })
                .toArray(String[]::new);
        HttpResponse<String> response = upload("/api/v1/documents", "POST", parts);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(202);
        assertThat(RunningGateway.json(response).path("documents").size())
                .as(response.body())
                .isEqualTo(200);
    }
}
