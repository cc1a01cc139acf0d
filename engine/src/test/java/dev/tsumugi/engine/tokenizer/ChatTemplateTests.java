package dev.tsumugi.engine.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@Timeout(60)
class ChatTemplateTests {
    private static final List<ChatMessage> TALK = List.of(
            new ChatMessage("system", "Be brief."),
            new ChatMessage("user", " Hi "),
            new ChatMessage("assistant", "Hello."),
            new ChatMessage("user", "Why?"));

    private static String render(String template, boolean generation) {
        return new ChatTemplate(template, "<s>", "</s>").render(TALK, generation);
    }

    @ParameterizedTest
    @ValueSource(strings = {"smollm2", "tiny-llama"})
    void conversations_become_the_recorded_texts(String model) {
        String file = "tokenizer/" + model + "-chats.json";
        ChatTemplate template =
                new ChatTemplate(GoldenFiles.json(file).path("chat_template").asString(), "<|im_start|>", "<|im_end|>");
        for (JsonNode recorded : GoldenFiles.cases(file)) {
            List<ChatMessage> messages = new ArrayList<>();
            for (JsonNode message : recorded.path("messages")) {
                messages.add(new ChatMessage(
                        message.path("role").asString(), message.path("content").asString()));
            }
            String text = template.render(
                    messages, recorded.path("add_generation_prompt").asBoolean());
            assertThat(text).isEqualTo(recorded.path("text").asString());
            if (model.equals("tiny-llama")) {
                assertThat(GoldenFiles.tokenizer("tiny-llama").encode(text))
                        .isEqualTo(GoldenFiles.ints(recorded.path("ids")));
            }
        }
    }

    @Test
    void filters_bind_closer_than_plus_as_in_llama_3() {
        String template = "{% set loop_messages = messages %}{% for message in loop_messages %}"
                + "{% set content = '<|h|>' + message['role'] + '<|/h|>\n\n'+ message['content'] | trim + '<|eot|>' %}"
                + "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
                + "{% if add_generation_prompt %}{{ '<|h|>assistant<|/h|>\n\n' }}{% endif %}";
        assertThat(render(template, true))
                .isEqualTo(
                        "<s><|h|>system<|/h|>\n\nBe brief.<|eot|><|h|>user<|/h|>\n\nHi<|eot|>"
                                + "<|h|>assistant<|/h|>\n\nHello.<|eot|><|h|>user<|/h|>\n\nWhy?<|eot|><|h|>assistant<|/h|>\n\n");
    }

    @Test
    void slices_and_pythons_strip_work_as_in_llama_2() {
        String template = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
                + "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
                + "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
                + "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
                + "{{ raise_exception('Roles must alternate') }}{% endif %}"
                + "{% if loop.index0 == 0 and system_message != false %}"
                + "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
                + "{% else %}{% set content = message['content'] %}{% endif %}"
                + "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
                + "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";
        assertThat(render(template, true))
                .isEqualTo("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi [/INST] Hello. </s><s>[INST] Why? [/INST]");
        assertThatThrownBy(() -> new ChatTemplate(template, "", "")
                        .render(List.of(new ChatMessage("assistant", "I begin.")), true))
                .isInstanceOf(ChatTemplateException.class)
                .hasMessageContaining("refuses")
                .hasMessageContaining("Roles must alternate");
    }

    @Test
    void dashes_take_white_space_and_blocks_their_lines_as_in_qwen() {
        String template = """
                {%- if tools %}
                    {{- 'tools' }}
                {%- else %}
                    {%- if messages[0]['role'] == 'system' %}
                        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
                    {%- endif %}
                {%- endif %}
                {%- for message in messages %}
                    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
                        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
                    {%- endif %}
                {%- endfor %}
                {%- if add_generation_prompt %}
                    {{- '<|im_start|>assistant\\n' }}
                {%- endif %}
                """;
        assertThat(render(template, true))
                .isEqualTo(
                        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n"
                                + "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n");
    }

    @Test
    void namespaces_remember_across_a_loop() {
        String template = "{%- set ns = namespace(system='', found=false) -%}{%- for m in messages -%}"
                + "{%- if m['role'] == 'system' -%}{%- set ns.system = m['content'] -%}{%- set ns.found = true -%}{%- endif -%}"
                + "{%- endfor -%}{{ ns.system }}|{{ ns.found }}";
        assertThat(render(template, false)).isEqualToIgnoringCase("Be brief.|True");
    }

    @Test
    void lines_of_blocks_leave_no_trace() {
        String template =
                "{% for m in messages %}\n    {% if m.role == 'user' %}\n{{ m.content | trim }}\n    {% endif %}\n{% endfor %}";
        assertThat(render(template, false)).isEqualTo("Hi\nWhy?\n");
    }

    @Test
    void strings_know_pythons_methods() {
        String template =
                "{% set c = '<think>a</think>\n\nrest of it' %}{% if c.startswith('<think>') and '</think>' in c %}"
                        + "{{ c.split('</think>')[-1].lstrip('\n') }}|{{ ' (x) '.strip().upper() }}{{ messages[1]['content'].strip() }}|{{ c.endswith('it') }}|{{ messages|length }}|{{ messages[-1].content }}{% endif %}"
                        + "{% if unknown is defined %}no{% endif %}{% if unknown is not none %}{% endif %}"
                        + "{% if messages[0].content is string %}|text{% endif %}";
        assertThat(render(template, false)).isEqualToIgnoringCase("rest of it|(X)Hi|True|4|Why?|text");
    }

    @Test
    void json_has_pythons_blanks() {
        assertThat(render("{{ messages[0] | tojson }}", false))
                .isEqualTo("{\"role\": \"system\", \"content\": \"Be brief.\"}");
        assertThat(render("{{ [1, 'あ', true] | tojson }}", false)).isEqualTo("[1, \"あ\", true]");
    }

    @Test
    void a_template_cannot_reach_outside() {
        for (String hostile : List.of(
                "{{ ''.getClass().forName('java.lang.Runtime') }}",
                "{{ messages.getClass() }}",
                "{% include 'logback.xml' %}",
                "{% import 'x' as y %}")) {
            try {
                assertThat(render(hostile, false)).as(hostile).isBlank();
            } catch (ChatTemplateException e) {
                assertThat(e).hasMessageContaining("failed");
            }
        }
    }

    @Test
    void a_template_without_measure_is_stopped() {
        assertThatThrownBy(() -> render(
                        "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
                        false))
                .isInstanceOf(ChatTemplateException.class);
        assertThatThrownBy(() -> render(
                        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% if a == -1 %}x{% endif %}{% endfor %}{% endfor %}{% endfor %}",
                        false))
                .isInstanceOf(ChatTemplateException.class);
        assertThatThrownBy(() -> new ChatTemplate("x".repeat(300_000), "", ""))
                .isInstanceOf(ChatTemplateException.class);
    }

    @Test
    void a_broken_template_is_named_as_such() {
        assertThatThrownBy(() -> render("{% for m in messages %}", false)).isInstanceOf(ChatTemplateException.class);
        assertThatThrownBy(() -> render("{{ nothing_like_this(1) }}", false)).isInstanceOf(ChatTemplateException.class);
    }
}
