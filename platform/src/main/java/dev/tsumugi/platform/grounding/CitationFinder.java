package dev.tsumugi.platform.grounding;

import dev.tsumugi.contracts.api.AskResponse.Citation;
import dev.tsumugi.contracts.api.SearchResponse.Hit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Finds, for each sentence of an answer, the words of the passages that support it. A sentence is compared with every window of one or
 * two neighbouring sentences of every passage; it counts as supported when
 *
 * <ul>
 *   <li>every number it states stands in the window (or in the question),
 *   <li>at least {@value #MIN_NEW} of its content words that the question did not already hold stand there,
 *   <li>at least {@value #MIN_ALL} of all its content words stand there, or {@value #MIN_REPEATED} when it says nothing beyond the
 *       question,
 *   <li>its passage holds all the content words that the sentence shares with the question and that stand in any, if a passage
 *       holds them all: what one says of the red team is no support for a sentence about the blue one.
 * </ul>
 *
 * A question supports nothing: small models give the question back. A refusal is supported by nothing, not even by a document about refusals. Among supporting windows the one wins that shares the most with the
 * sentence, in order (longest common subsequence), and with the question. The quote is exactly {@code parsedText.substring(start, end)} of
 * the document.
 */
public final class CitationFinder {
    private static final double MIN_NEW = 0.6;
    private static final double MIN_ALL = 0.45;
    private static final double MIN_REPEATED = 0.75;
    private static final double MIN_CLOSEST = 0.5;
    private static final double PERTINENCE = 0.4;
    private static final int MAX_QUOTE = 400;
    /** By its mark, or by the Japanese particle at the end of a verb or copula. */
    private static final Pattern QUESTION = Pattern.compile("[?？]$|(です|ます|でした|ました|ません|でしょう)か[。．]?$");

    private static final int MAX_COMPARED_WORDS = 400;

    /**
     * A window of a passage with what is compared.
     *
     * @param forms of its words, and of the words of title and heading
     * @param passageForms those of the whole passage
     */
    private record Window(
            Hit hit, int start, int end, List<Words.Word> words, Set<String> forms, Set<String> passageForms) {}

    private record Match(Window window, double score) {}

    /**
     * @param answer as the model wrote it; reference marks like {@code [2]} of its own are dropped
     * @param passages in the order in which they were retrieved, best first
     */
    public GroundedAnswer ground(String question, String answer, List<Hit> passages) {
        String text = withoutMarks(answer);
        if (Refusals.isRefusal(text)) {
            return new GroundedAnswer(text, List.of());
        }
        List<Window> windows =
                passages.stream().flatMap(hit -> windowsOf(hit).stream()).toList();
        List<Words.Word> asked = Words.of(question);
        Map<String, Citation> citations = new LinkedHashMap<>();
        StringBuilder marked = new StringBuilder();
        int copied = 0;
        for (Sentences.Span span : Sentences.of(text)) {
            String sentence = text.substring(span.start(), span.end());
            Match match = bestMatch(sentence, asked, windows);
            if (match == null) {
                continue;
            }
            Citation citation = cite(match.window(), sentence, citations);
            marked.append(text, copied, span.end())
                    .append(Words.isEastAsian(sentence) ? "" : " ")
                    .append('[')
                    .append(citation.marker())
                    .append(']');
            copied = span.end();
        }
        marked.append(text, copied, text.length());
        return new GroundedAnswer(marked.toString(), List.copyOf(citations.values()));
    }

    /**
     * The place that has most to do with a question which got no answer; null when none shares at least half of its content words. A heading that
     * says nothing beyond the question is no help.
     */
    public @Nullable Citation closest(String question, List<Hit> passages) {
        List<Words.Word> asked = Words.of(question);
        Set<String> forms = asked.stream().map(Words.Word::form).collect(Collectors.toSet());
        Match best = null;
        for (Hit hit : passages) {
            for (Window window : windowsOf(hit)) {
                if (window.words().stream().noneMatch(word -> word.content() && !forms.contains(word.form()))) {
                    continue;
                }
                double share = share(asked, window);
                double score = share + PERTINENCE * pertinence(asked, forms, window);
                if (share >= MIN_CLOSEST && (best == null || score > best.score() + 1e-9)) {
                    best = new Match(window, score);
                }
            }
        }
        return best == null ? null : cite(best.window(), question, new LinkedHashMap<>());
    }

    /** Part of the question's content words that the window holds. */
    private static double share(List<Words.Word> asked, Window window) {
        long content = asked.stream().filter(Words.Word::content).count();
        long found = asked.stream()
                .filter(word -> word.content() && window.forms().contains(word.form()))
                .count();
        return content == 0 ? 0 : (double) found / content;
    }

    private static String withoutMarks(String answer) {
        return answer.replaceAll("\\s?\\[\\d{1,2}\\]", "").strip();
    }

    private static List<Window> windowsOf(Hit hit) {
        List<Sentences.Span> sentences = Sentences.of(hit.text());
        // Headings and titles say what a passage is about without being quoted.
        Set<String> about = Words.of(hit.title() + "\n" + hit.heading()).stream()
                .filter(word -> !word.number())
                .map(Words.Word::form)
                .collect(Collectors.toSet());
        Set<String> passageForms = withForms(about, Words.of(hit.text()));
        List<Window> windows = new ArrayList<>();
        for (int i = 0; i < sentences.size(); i++) {
            for (int last = i; last <= i + 1 && last < sentences.size(); last++) {
                int start = sentences.get(i).start();
                int end = sentences.get(last).end();
                List<Words.Word> words = Words.of(hit.text().substring(start, end));
                windows.add(new Window(hit, start, end, words, withForms(about, words), passageForms));
            }
        }
        return windows;
    }

    private static Set<String> withForms(Set<String> forms, List<Words.Word> words) {
        Set<String> all = new HashSet<>(forms);
        words.forEach(word -> all.add(word.form()));
        return all;
    }

    private static @Nullable Match bestMatch(String sentence, List<Words.Word> asked, List<Window> windows) {
        if (QUESTION.matcher(sentence).find()) {
            return null;
        }
        List<Words.Word> said = Words.of(sentence);
        Set<String> questionForms = asked.stream().map(Words.Word::form).collect(Collectors.toSet());
        Set<String> topic = said.stream()
                .filter(word -> word.content() && questionForms.contains(word.form()))
                .map(Words.Word::form)
                .filter(form -> windows.stream()
                        .anyMatch(window -> window.passageForms().contains(form)))
                .collect(Collectors.toSet());
        List<Window> onTopic = windows.stream()
                .filter(window -> window.passageForms().containsAll(topic))
                .toList();
        Match best = null;
        for (Window window : onTopic.isEmpty() ? windows : onTopic) {
            double score = support(said, questionForms, asked, window);
            if (score > 0 && (best == null || score > best.score() + 1e-9)) {
                best = new Match(window, score);
            }
        }
        return best;
    }

    /** 0 when the window does not support what is said; else more is better. */
    private static double support(
            List<Words.Word> said, Set<String> questionForms, List<Words.Word> asked, Window window) {
        int all = 0;
        int allFound = 0;
        int fresh = 0;
        int freshFound = 0;
        for (Words.Word word : said) {
            if (!word.content()) {
                continue;
            }
            boolean repeated = questionForms.contains(word.form());
            boolean found = window.forms().contains(word.form());
            if (word.number() && !found && !repeated) {
                return 0;
            }
            all++;
            allFound += found ? 1 : 0;
            if (!repeated) {
                fresh++;
                freshFound += found ? 1 : 0;
            }
        }
        if (all == 0) {
            return 0;
        }
        double coverage = (double) allFound / all;
        boolean supported =
                fresh == 0 ? coverage >= MIN_REPEATED : coverage >= MIN_ALL && (double) freshFound / fresh >= MIN_NEW;
        if (!supported) {
            return 0;
        }
        double inOrder = (double) longestCommonSubsequence(said, window.words()) / said.size();
        return coverage + inOrder + 0.5 * share(asked, window) + PERTINENCE * pertinence(said, questionForms, window);
    }

    /** Share of the window's content words that have to do with what is said or asked: a longer window must earn its length. */
    private static double pertinence(List<Words.Word> said, Set<String> questionForms, Window window) {
        Set<String> saidForms = said.stream().map(Words.Word::form).collect(Collectors.toSet());
        long content = window.words().stream().filter(Words.Word::content).count();
        long shared = window.words().stream()
                .filter(word ->
                        word.content() && (saidForms.contains(word.form()) || questionForms.contains(word.form())))
                .count();
        return content == 0 ? 0 : (double) shared / content;
    }

    private static int longestCommonSubsequence(List<Words.Word> a, List<Words.Word> b) {
        int n = Math.min(a.size(), MAX_COMPARED_WORDS);
        int m = Math.min(b.size(), MAX_COMPARED_WORDS);
        int[] previous = new int[m + 1];
        int[] current = new int[m + 1];
        for (int i = 1; i <= n; i++) {
            for (int j = 1; j <= m; j++) {
                current[j] = a.get(i - 1).form().equals(b.get(j - 1).form())
                        ? previous[j - 1] + 1
                        : Math.max(previous[j], current[j - 1]);
            }
            int[] swap = previous;
            previous = current;
            current = swap;
        }
        return previous[m];
    }

    private static Citation cite(Window window, String sentence, Map<String, Citation> citations) {
        Sentences.Span quote = shorten(window, sentence);
        Hit hit = window.hit();
        String key = hit.chunkId() + "@" + quote.start() + "-" + quote.end();
        return citations.computeIfAbsent(
                key,
                unused -> new Citation(
                        citations.size() + 1,
                        hit.documentId(),
                        hit.chunkId(),
                        hit.title(),
                        hit.text().substring(quote.start(), quote.end()),
                        hit.start() + quote.start(),
                        hit.start() + quote.end()));
    }

    /** A window that is long, such as a table, is cut down to the stretch that shares content words with the sentence. */
    private static Sentences.Span shorten(Window window, String sentence) {
        if (window.end() - window.start() <= MAX_QUOTE) {
            return new Sentences.Span(window.start(), window.end());
        }
        Set<String> said = Words.of(sentence).stream()
                .filter(Words.Word::content)
                .map(Words.Word::form)
                .collect(Collectors.toSet());
        List<Words.Word> shared = window.words().stream()
                .filter(word -> said.contains(word.form()))
                .toList();
        Sentences.Span best = new Sentences.Span(window.start(), window.start() + MAX_QUOTE);
        int most = 0;
        for (int i = 0; i < shared.size(); i++) {
            Map<String, Integer> distinct = new HashMap<>();
            int from = shared.get(i).start();
            int end = from;
            for (int j = i; j < shared.size() && shared.get(j).end() - from <= MAX_QUOTE; j++) {
                distinct.merge(shared.get(j).form(), 1, Integer::sum);
                end = shared.get(j).end();
            }
            if (distinct.size() > most) {
                most = distinct.size();
                best = new Sentences.Span(window.start() + from, window.start() + end);
            }
        }
        return best;
    }
}
