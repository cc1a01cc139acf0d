package dev.tsumugi.gateway.documents;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tsumugi.platform.web.ProblemException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DocumentIdsTests {
    @ParameterizedTest
    @CsvSource({
        "report.pdf, report.pdf",
        "folder/report.pdf, folder/report.pdf",
        "C:\\Users\\me\\report.pdf, Users/me/report.pdf",
        "../../etc/passwd, etc/passwd",
        "/./a//b/, a/b",
        "就業 規則.docx, 就業 規則.docx",
    })
    void a_file_name_becomes_an_id_that_stays_below_its_folder(String fileName, String id) {
        assertThat(DocumentIds.fromFileName(fileName)).isEqualTo(id);
    }

    @Test
    void decomposed_and_composed_names_are_the_same_document() {
        assertThat(DocumentIds.fromFileName("\u304B\u3099\u3044\u8981.txt")).isEqualTo("\u304C\u3044\u8981.txt");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "..", "../..", " "})
    void a_file_without_a_name_has_no_id(String fileName) {
        assertThatThrownBy(() -> DocumentIds.fromFileName(fileName))
                .isInstanceOf(ProblemException.class)
                .hasMessageContaining("id");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "/a//b", "/a/../b", "/a/.", "/a\\b", "/a\u0001b"})
    void an_address_that_would_not_survive_the_way_is_refused(String rest) {
        assertThatThrownBy(() -> DocumentIds.fromAddress(rest)).isInstanceOf(ProblemException.class);
    }

    @Test
    void an_id_has_at_most_512_characters() {
        assertThat(DocumentIds.fromAddress("/" + "a".repeat(512))).hasSize(512);
        assertThatThrownBy(() -> DocumentIds.fromAddress("/" + "a".repeat(513))).isInstanceOf(ProblemException.class);
    }
}
