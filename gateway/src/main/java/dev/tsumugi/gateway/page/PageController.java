package dev.tsumugi.gateway.page;

import java.nio.charset.StandardCharsets;
import org.springframework.core.io.ClassPathResource;
import org.springframework.core.io.Resource;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** The page at {@code /} and the OpenAPI description at {@code /v3/api-docs}. */
@RestController
class PageController {
    private static final MediaType HTML = new MediaType(MediaType.TEXT_HTML, StandardCharsets.UTF_8);

    @GetMapping("/")
    ResponseEntity<Resource> page() {
        return ResponseEntity.ok().contentType(HTML).body(new ClassPathResource("gateway/page/index.html"));
    }

    @GetMapping("/v3/api-docs")
    ResponseEntity<Resource> apiDocs() {
        return ResponseEntity.ok()
                .contentType(MediaType.APPLICATION_JSON)
                .body(new ClassPathResource("gateway/openapi.json"));
    }
}
