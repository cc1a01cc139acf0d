package dev.tsumugi.trainer.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExampleFormatsTests {
    private final ExampleFormats formats = new ExampleFormats();

    @Test
    void own_lines_are_read_with_one_context_or_many_and_without_an_answer_when_there_is_none() {
        ExampleFormats.Result result = read("""
                {"id": "a", "question": "Who?", "contexts": ["x", "y"], "answer": "Rollo"}

                {"question": "何年？", "context": "寛保元年", "answer": "1741年"}
                {"id": "c", "question": "Why?", "answerable": false}
                """);
        assertThat(result.errors()).isEmpty();
        assertThat(result.examples()).hasSize(3);
        assertThat(result.examples().get(0)).isEqualTo(Example.checked("a", "Who?", List.of("x", "y"), "Rollo", true));
        assertThat(result.examples().get(1).contexts()).containsExactly("寛保元年");
        assertThat(result.examples().get(2)).isEqualTo(Example.checked("c", "Why?", List.of(), "", false));
    }

    @Test
    void contexts_and_citations_keep_their_documents() {
        Example example = read("""
                        {"question": "Who?", "answer": "Rollo", "cited": ["normans"],
                         "contexts": [{"text": "Rollo founded it.", "documentId": "normans"}, "Nobody knows."]}
                        """.replace("\n", "")).examples().getFirst();
        assertThat(example.documents()).containsExactly("normans", "");
        assertThat(example.cited()).containsExactly("normans");
        assertThat(example.allDocuments()).containsExactly("normans");
    }

    @Test
    void the_same_content_without_an_id_gets_the_same_id() {
        String line = "{\"question\": \"Who?\", \"answer\": \"Rollo\"}\n";
        List<Example> twice = read(line + line).examples();
        assertThat(twice.get(0).id()).isEqualTo(twice.get(1).id()).hasSize(32);
    }

    @Test
    void alpaca_is_read_as_lines_and_as_an_array() {
        String element = "{\"instruction\": \"Name it\", \"input\": \"the context\", \"output\": \"Kiso\"}";
        for (String body : List.of(element + "\n" + element, "[" + element + ",\n" + element + "]")) {
            List<Example> examples = read(body).examples();
            assertThat(examples).hasSize(2);
            assertThat(examples.getFirst().question()).isEqualTo("Name it");
            assertThat(examples.getFirst().contexts()).containsExactly("the context");
            assertThat(examples.getFirst().answer()).isEqualTo("Kiso");
        }
    }

    @Test
    void squad_2_is_read_with_its_unanswerable_questions() {
        ExampleFormats.Result result = read("""
                {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "The Kiso is 229 km long.", "qas": [
                  {"id": "1", "question": "How long?", "is_impossible": false, "answers": [{"text": "229 km", "answer_start": 12}]},
                  {"id": "2", "question": "How deep?", "is_impossible": true, "answers": []}]}]}]}
                """);
        assertThat(result.errors()).isEmpty();
        List<String> kiso = List.of("The Kiso is 229 km long.");
        assertThat(result.examples())
                .containsExactly(
                        new Example("1", "How long?", kiso, List.of("squad:T"), List.of(), List.of(), "229 km", true),
                        new Example("2", "How deep?", kiso, List.of("squad:T"), List.of(), List.of(), "", false));
    }

    @Test
    void what_is_wrong_is_named_with_its_line() {
        ExampleFormats.Result result = read("""
                {"question": "Who?", "answer": "Rollo"}
                {"question": "Who?"}
                {"question": "broken
                {"text": "hello"}
                7
                """);
        assertThat(result.errors()).hasSize(4);
        assertThat(result.errors().get(0)).startsWith("line 2: the answer is missing");
        assertThat(result.errors().get(1)).startsWith("line 3: not a JSON object");
        assertThat(result.errors().get(2)).startsWith("line 4: neither");
        assertThat(result.errors().get(3)).isEqualTo("line 5: not a JSON object");
    }

    @Test
    void an_empty_body_binary_junk_and_wrong_types_are_refused() {
        assertThat(read("").errors()).containsExactly("the body holds no example");
        assertThat(formats.read(new byte[] {(byte) 0xff, (byte) 0xfe, 0}).errors())
                .containsExactly("the body is not UTF-8 text");
        assertThat(read("{\"question\": [1], \"answer\": \"x\"}").errors())
                .containsExactly("line 1: the field question is not a text");
        assertThat(read("{\"data\": []}").errors().getFirst()).contains("no paragraphs");
        assertThat(read("{\"question\": \"" + "q".repeat(9000) + "\", \"answer\": \"x\"}")
                        .errors())
                .containsExactly("line 1: the question has more than 8000 characters");
    }

    private ExampleFormats.Result read(String body) {
        return formats.read(body.getBytes(StandardCharsets.UTF_8));
    }
}
