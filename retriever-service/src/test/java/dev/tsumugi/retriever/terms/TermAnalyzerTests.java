package dev.tsumugi.retriever.terms;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TermAnalyzerTests {
    private final TermAnalyzer analyzer = new TermAnalyzer();

    @Test
    void english_words_become_stems_without_stop_words() {
        assertThat(analyzer.analyze("The runners were running to the houses"))
                .isEqualTo(new Terms(Map.of("runner", 1, "were", 1, "run", 1, "hous", 1), 4));
    }

    @Test
    void japanese_words_become_base_forms_and_compounds_their_parts() {
        Set<String> terms = terms("関西国際空港へ行きました。");
        assertThat(terms).contains("関西", "国際", "空港", "行く").doesNotContain("へ", "ました");
    }

    @Test
    void a_question_and_a_text_meet_in_their_base_form() {
        assertThat(terms("休暇を申請したいのですが")).containsAnyElementsOf(terms("休暇は上長に申請する。"));
        assertThat(terms("休暇の申請方法")).contains("休暇", "申請");
    }

    @Test
    void mixed_text_gets_both_kinds_of_terms() {
        assertThat(terms("第3章 Kafkaの設定 runs on brokers")).contains("kafka", "設定", "run", "broker", "3");
    }

    @Test
    void full_width_and_half_width_forms_are_the_same_term() {
        assertThat(terms("ＡＰＩ　１２３ ｻｰﾊﾞｰ")).isEqualTo(terms("API 123 サーバー"));
    }

    @Test
    void repeated_terms_are_counted() {
        Terms terms = analyzer.analyze("flow, flows and FLOW");
        assertThat(terms.frequencies()).containsExactly(Map.entry("flow", 3));
        assertThat(terms.length()).isEqualTo(3);
    }

    @Test
    void odd_characters_give_harmless_terms_or_none() {
        assertThat(analyzer.analyze("").length()).isZero();
        assertThat(analyzer.analyze(" \t\n 、。!? ").length()).isZero();
        assertThat(terms("it's 'quoted' \\ {a,b} \"c\" %_ & | ! :*")).allMatch(term -> !term.isBlank());
        assertThat(terms("x".repeat(10_000))).allMatch(term -> term.length() <= 100 * 3);
        assertThat(terms("\uD83D\uDE00 \uD83D lone")).contains("lone");
    }

    private Set<String> terms(String text) {
        return analyzer.analyze(text).frequencies().keySet();
    }
}
