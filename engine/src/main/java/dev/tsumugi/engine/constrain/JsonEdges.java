package dev.tsumugi.engine.constrain;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Writes the parts of JSON texts (RFC 8259) into a network, with the white space that the package allows. */
final class JsonEdges implements CharEdges {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final Regex NUMBER =
            RegexParser.whole("-?(?:0|[1-9][0-9]{0,17})(?:\\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?");
    private static final Regex ESCAPE = RegexParser.whole("\\\\(?:[\"\\\\/bfnrt]|u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}"
            + "|[dD][0-7][0-9a-fA-F]{2}|[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}))");

    private final Network network;
    private final Utf8Edges text;
    private int anyValue = -1;
    private int anyCharacter = -1;

    JsonEdges(Network network, Utf8Edges text) {
        this.network = network;
        this.text = text;
    }

    @Override
    public int node() {
        return network.node();
    }

    @Override
    public void jump(int source, int target) {
        network.jump(source, target);
    }

    void call(int rule, int source, int target) {
        network.call(source, rule, target);
    }

    /** A new rule, whose start and end the caller joins. */
    int rule() {
        return network.rule();
    }

    int start(int rule) {
        return network.start(rule);
    }

    int end(int rule) {
        return network.end(rule);
    }

    /** One character of a string in the one way that is usual: as it is, or by its short escape, or by its number. */
    @Override
    public void chars(CharSet set, int source, int target) {
        text.chars(set.intersect(Vocabulary.UNESCAPED), source, target);
        int[] escaped = set.minus(Vocabulary.UNESCAPED).ranges();
        for (int i = 0; i < escaped.length; i += 2) {
            for (int c = escaped[i]; c <= escaped[i + 1]; c++) {
                String quoted = JSON.writeValueAsString(Character.toString(c));
                text.text(quoted.substring(1, quoted.length() - 1), source, target);
            }
        }
    }

    /** One character of a string in any way that JSON has for it. */
    private void anyCharacter(int source, int target) {
        text.chars(Vocabulary.UNESCAPED, source, target);
        Regex.write(ESCAPE, text, source, target);
    }

    /** Exactly {@code written}. */
    void text(String written, int source, int target) {
        text.text(written, source, target);
    }

    /** A property's name. */
    void name(String name, int source, int target) {
        text.text(JSON.writeValueAsString(name), source, target);
    }

    private void quote(int source, int target) {
        text.text("\"", source, target);
    }

    void colon(int source, int target) {
        separator(":", source, target);
    }

    void comma(int source, int target) {
        separator(",", source, target);
    }

    private void separator(String sign, int source, int target) {
        int behind = node();
        text.text(sign, source, behind);
        text.text(" ", behind, target);
        jump(behind, target);
    }

    void regex(Regex regex, int source, int target) {
        Regex.write(regex, text, source, target);
    }

    /** A string that {@code content} matches, of {@code min} to {@code max} characters. */
    void string(Regex content, int min, int max, int source, int target) {
        int begin = node();
        int end = node();
        quote(source, begin);
        LengthBound.write(content, min, max, this, begin, end);
        quote(end, target);
    }

    /** Any string of {@code min} to {@code max} characters; {@link Regex#UNLIMITED} for no upper bound. */
    void string(int min, int max, int source, int target) {
        int at = node();
        quote(source, at);
        for (int i = 0; i < min; i++) {
            int next = node();
            call(anyCharacterRule(), at, next);
            at = next;
        }
        if (max == Regex.UNLIMITED) {
            int loop = node();
            jump(at, loop);
            anyCharacter(loop, loop);
            at = loop;
        }
        for (int i = min; i < max; i++) {
            quote(at, target);
            int next = node();
            call(anyCharacterRule(), at, next);
            at = next;
        }
        quote(at, target);
    }

    private int anyCharacterRule() {
        if (anyCharacter < 0) {
            anyCharacter = network.rule();
            anyCharacter(network.start(anyCharacter), network.end(anyCharacter));
        }
        return anyCharacter;
    }

    /** A string without escapes that is none of {@code names}. */
    void otherName(List<String> names, int source, int target) {
        int free = node();
        int begin = node();
        quote(source, begin);
        otherName(names, 0, begin, free, target);
        text.chars(Vocabulary.UNESCAPED, free, free);
        quote(free, target);
    }

    /** @param names those that agree in their first {@code length} units, which have been read */
    private void otherName(List<String> names, int length, int source, int free, int target) {
        boolean isName = false;
        CharSet continued = CharSet.NONE;
        for (String name : names) {
            if (name.length() == length) {
                isName = true;
            } else {
                continued = continued.union(CharSet.of(name.codePointAt(length)));
            }
        }
        if (!isName) {
            quote(source, target);
        }
        text.chars(Vocabulary.UNESCAPED.minus(continued), source, free);
        int[] ranges = continued.intersect(Vocabulary.UNESCAPED).ranges();
        for (int i = 0; i < ranges.length; i += 2) {
            for (int c = ranges[i]; c <= ranges[i + 1]; c++) {
                int character = c;
                List<String> those = new ArrayList<>();
                for (String name : names) {
                    if (name.length() > length && name.codePointAt(length) == character) {
                        those.add(name);
                    }
                }
                int next = node();
                text.chars(CharSet.of(c), source, next);
                otherName(those, length + Character.charCount(c), next, free, target);
            }
        }
    }

    void number(int source, int target) {
        Regex.write(NUMBER, text, source, target);
    }

    /** Exactly this value. */
    void value(JsonNode value, int source, int target) {
        if (value.isObject()) {
            int at = node();
            text.text("{", source, at);
            boolean first = true;
            for (var property : value.properties()) {
                at = next(first, at);
                first = false;
                int colon = node();
                int begin = node();
                int end = node();
                name(property.getKey(), at, colon);
                colon(colon, begin);
                value(property.getValue(), begin, end);
                at = end;
            }
            text.text("}", at, target);
        } else if (value.isArray()) {
            int at = node();
            text.text("[", source, at);
            boolean first = true;
            for (JsonNode element : value) {
                at = next(first, at);
                first = false;
                int end = node();
                value(element, at, end);
                at = end;
            }
            text.text("]", at, target);
        } else {
            text.text(JSON.writeValueAsString(value), source, target);
        }
    }

    private int next(boolean first, int at) {
        if (first) {
            return at;
        }
        int behind = node();
        comma(at, behind);
        return behind;
    }

    /** Any value. */
    void anyValue(int source, int target) {
        if (anyValue < 0) {
            anyValue = network.rule();
            int start = network.start(anyValue);
            int end = network.end(anyValue);
            for (String word : List.of("true", "false", "null")) {
                text.text(word, start, end);
            }
            number(start, end);
            string(0, Regex.UNLIMITED, start, end);
            anyObject(start, end);
            anyArray(start, end);
        }
        call(anyValue, source, target);
    }

    void anyObject(int source, int target) {
        int open = node();
        int name = node();
        int colon = node();
        int value = node();
        int behind = node();
        text.text("{", source, open);
        text.text("}", open, target);
        jump(open, name);
        string(0, Regex.UNLIMITED, name, colon);
        colon(colon, value);
        anyValue(value, behind);
        comma(behind, name);
        text.text("}", behind, target);
    }

    void anyArray(int source, int target) {
        int open = node();
        int element = node();
        int behind = node();
        text.text("[", source, open);
        text.text("]", open, target);
        jump(open, element);
        anyValue(element, behind);
        comma(behind, element);
        text.text("]", behind, target);
    }
}
