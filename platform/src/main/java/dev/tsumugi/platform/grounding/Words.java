package dev.tsumugi.platform.grounding;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Cuts text into comparable words, with their offsets. Runs of letters and digits are one word; Chinese characters and hiragana, which
 * have no spaces between words, are a word each, and a run of katakana is one. Forms are NFKC, small letters, and without the
 * commonest English endings, so that "Founded" meets "founding" and full-width "２０２６" meets "2026".
 */
public final class Words {
    private static final Set<String> FUNCTION_WORDS = load("function-words.txt");

    /**
     * @param start offset in the text, UTF-16 units
     * @param end offset behind the word
     * @param content false for words that say nothing alone: articles, question words, hiragana
     * @param number the word holds a digit
     */
    record Word(int start, int end, String form, boolean content, boolean number) {}

    private enum Script {
        SPACE,
        LETTERS,
        HAN,
        HIRAGANA,
        KATAKANA
    }

    private Words() {}

    static List<Word> of(CharSequence text) {
        List<Word> words = new ArrayList<>();
        int length = text.length();
        int i = 0;
        while (i < length) {
            int c = Character.codePointAt(text, i);
            Script script = scriptOf(c);
            int end = i + Character.charCount(c);
            if (script == Script.LETTERS || script == Script.KATAKANA) {
                while (end < length) {
                    int next = Character.codePointAt(text, end);
                    if (scriptOf(next) != script && !joins(text, end)) {
                        break;
                    }
                    end += Character.charCount(next);
                }
            }
            if (script != Script.SPACE) {
                words.add(word(text, i, end, script));
            }
            i = end;
        }
        return words;
    }

    /**
     * What a text is about: its content words, each once. Neighbouring Chinese characters count in pairs, because a single one is too
     * common to tell anything.
     */
    public static Set<String> topics(CharSequence text) {
        Set<String> topics = new LinkedHashSet<>();
        List<Word> words = of(text);
        for (int i = 0; i < words.size(); i++) {
            Word word = words.get(i);
            if (!word.content()) {
                continue;
            }
            if (!isHan(word)) {
                topics.add(word.form());
                continue;
            }
            boolean afterHan =
                    i > 0 && isHan(words.get(i - 1)) && words.get(i - 1).end() == word.start();
            boolean beforeHan = i + 1 < words.size()
                    && isHan(words.get(i + 1))
                    && words.get(i + 1).start() == word.end();
            if (beforeHan) {
                topics.add(word.form() + words.get(i + 1).form());
            } else if (!afterHan) {
                topics.add(word.form());
            }
        }
        return topics;
    }

    /** True for text that is written mainly in Japanese (or Chinese) characters. */
    static boolean isEastAsian(CharSequence text) {
        long eastAsian = text.codePoints()
                .filter(c ->
                        scriptOf(c) == Script.HAN || scriptOf(c) == Script.HIRAGANA || scriptOf(c) == Script.KATAKANA)
                .count();
        long letters = text.codePoints().filter(Character::isLetter).count();
        return eastAsian * 3 > letters;
    }

    private static boolean isHan(Word word) {
        return word.form().codePointCount(0, word.form().length()) == 1
                && scriptOf(word.form().codePointAt(0)) == Script.HAN;
    }

    /** A point or comma between digits is part of the number. */
    private static boolean joins(CharSequence text, int at) {
        char c = text.charAt(at);
        return (c == '.' || c == ',')
                && at > 0
                && at + 1 < text.length()
                && Character.isDigit(text.charAt(at - 1))
                && Character.isDigit(text.charAt(at + 1));
    }

    private static Script scriptOf(int c) {
        if (!Character.isLetterOrDigit(c) && c != 'ー' && c != '々') {
            return Script.SPACE;
        }
        if (c == 'ー') {
            return Script.KATAKANA;
        }
        return switch (Character.UnicodeScript.of(c)) {
            case HAN -> Script.HAN;
            case HIRAGANA -> Script.HIRAGANA;
            case KATAKANA -> Script.KATAKANA;
            default -> c == '々' ? Script.HAN : Script.LETTERS;
        };
    }

    private static Word word(CharSequence text, int start, int end, Script script) {
        String raw = text.subSequence(start, end).toString();
        String form = Normalizer.normalize(raw, Normalizer.Form.NFKC).toLowerCase(Locale.ROOT);
        boolean number = form.chars().anyMatch(Character::isDigit);
        if (number) {
            form = form.replace(",", "");
        }
        boolean content = script != Script.HIRAGANA && !FUNCTION_WORDS.contains(form);
        return new Word(start, end, script == Script.LETTERS && !number ? stem(form) : form, content, number);
    }

    private static String stem(String form) {
        for (String ending : List.of("ations", "ation", "ings", "ing", "edly", "ies", "ed", "es", "ly", "s", "e")) {
            int stem = form.length() - ending.length();
            if (stem >= 3 && form.endsWith(ending) && !(ending.equals("s") && form.endsWith("ss"))) {
                String rest = form.substring(0, stem);
                return ending.equals("ies") ? rest + "y" : undouble(rest);
            }
        }
        return form;
    }

    /** "stopped" and "stop" have one stem. */
    private static String undouble(String stem) {
        int n = stem.length();
        boolean doubled =
                n > 3 && stem.charAt(n - 1) == stem.charAt(n - 2) && "bdgmnprt".indexOf(stem.charAt(n - 1)) >= 0;
        return doubled ? stem.substring(0, n - 1) : stem;
    }

    private static Set<String> load(String name) {
        try (InputStream in = Words.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is missing from the class path");
            }
            return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .flatMap(line -> List.of(line.split(" ")).stream())
                    .filter(word -> !word.isBlank())
                    .collect(Collectors.toUnmodifiableSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
