package dev.tsumugi.engine.tokenizer;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Methods of Python's strings that chat templates call. Jinjava knows Java's methods instead, so calls are rewritten as filters of the same
 * meaning: {@code x.startswith('a')} becomes {@code x|py_startswith('a')}.
 */
final class PythonMethods {
    private static final String PREFIX = "py_";
    private static final Pattern TAG = Pattern.compile("\\{[{%].*?[}%]}", Pattern.DOTALL);
    private static final Pattern CALL =
            Pattern.compile("\\.(strip|lstrip|rstrip|startswith|endswith|split|title|upper|lower|replace)\\(");

    private PythonMethods() {}

    static String asFilters(String template) {
        return TAG.matcher(template)
                .replaceAll(tag -> Matcher.quoteReplacement(
                        CALL.matcher(tag.group()).replaceAll("|" + PREFIX + "$1(")));
    }

    static List<Filter> filters() {
        return List.of(
                new Method("strip", a -> strip(a, true, true)),
                new Method("lstrip", a -> strip(a, true, false)),
                new Method("rstrip", a -> strip(a, false, true)),
                new Method("startswith", a -> a[0].startsWith(a[1])),
                new Method("endswith", a -> a[0].endsWith(a[1])),
                new Method("split", PythonMethods::split),
                new Method("title", a -> title(a[0])),
                new Method("upper", a -> a[0].toUpperCase(java.util.Locale.ROOT)),
                new Method("lower", a -> a[0].toLowerCase(java.util.Locale.ROOT)),
                new Method("replace", a -> a[0].replace(a[1], a[2])));
    }

    private interface Body {
        /** @param arguments the string itself, then what stands in the parentheses */
        Object apply(String[] arguments);
    }

    private record Method(String name, Body body) implements Filter {
        @Override
        public String getName() {
            return PREFIX + name;
        }

        @Override
        public Object filter(@Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
            String[] all = new String[arguments.length + 1];
            all[0] = value == null ? "" : value.toString();
            System.arraycopy(arguments, 0, all, 1, arguments.length);
            try {
                return body.apply(all);
            } catch (ArrayIndexOutOfBoundsException e) {
                throw new IllegalArgumentException(name + "() has too few arguments", e);
            }
        }
    }

    private static String strip(String[] arguments, boolean left, boolean right) {
        String text = arguments[0];
        String set = arguments.length > 1 ? arguments[1] : " \t\n\r\f\u000B";
        int from = 0;
        int to = text.length();
        while (left && from < to && set.indexOf(text.charAt(from)) >= 0) {
            from++;
        }
        while (right && to > from && set.indexOf(text.charAt(to - 1)) >= 0) {
            to--;
        }
        return text.substring(from, to);
    }

    private static List<String> split(String[] arguments) {
        if (arguments.length < 2) {
            return List.of(strip(arguments, true, true).split("\\s+"));
        }
        int limit = arguments.length > 2 ? Integer.parseInt(arguments[2]) + 1 : -1;
        return new ArrayList<>(Arrays.asList(arguments[0].split(Pattern.quote(arguments[1]), limit)));
    }

    private static String title(String text) {
        StringBuilder title = new StringBuilder(text.toLowerCase(java.util.Locale.ROOT));
        for (int i = 0; i < title.length(); i++) {
            if (i == 0 || !Character.isLetter(title.charAt(i - 1))) {
                title.setCharAt(i, Character.toTitleCase(title.charAt(i)));
            }
        }
        return title.toString();
    }
}
