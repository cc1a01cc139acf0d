package dev.tsumugi.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One question of a file in the format of SQuAD 2.0.
 *
 * @param article index of its article, within which passages speak of one subject
 * @param answers spans of the passage that answer it; none when the passage does not
 */
record SquadQuestion(String id, int article, String title, String passage, String question, List<String> answers) {

    boolean answerable() {
        return !answers.isEmpty();
    }

    static List<SquadQuestion> read(Path file) {
        JsonNode data;
        try {
            data = JsonMapper.shared().readTree(Files.readString(file)).path("data");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<SquadQuestion> questions = new ArrayList<>();
        for (int article = 0; article < data.size(); article++) {
            JsonNode node = data.get(article);
            for (JsonNode paragraph : node.path("paragraphs")) {
                for (JsonNode question : paragraph.path("qas")) {
                    List<String> answers = question.path("answers")
                            .valueStream()
                            .map(answer -> answer.path("text").asString(""))
                            .toList();
                    questions.add(new SquadQuestion(
                            question.path("id").asString(""),
                            article,
                            node.path("title").asString("").replace('_', ' '),
                            paragraph.path("context").asString(""),
                            question.path("question").asString("").strip(),
                            question.path("is_impossible").asBoolean(false) ? List.of() : answers));
                }
            }
        }
        BenchException.require(!questions.isEmpty(), file + " holds no questions in the format of SQuAD");
        return questions;
    }
}
