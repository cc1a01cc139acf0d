package dev.tsumugi.engine.tokenizer;

import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Methods of Python's strings that chat templates call. Jinjava knows Java's methods instead, so calls are rewritten as calls of functions
 * of the same meaning: {@code x.split('a')[0]} becomes {@code py_split(x, 'a')[0]}. The functions are public because Jinjava calls them by
 * reflection.
 */
public final class PythonMethods {
    private static final Pattern TAG = Pattern.compile("\\{[{%].*?[}%]}", Pattern.DOTALL);
    private static final Pattern CALL =
            Pattern.compile("\\.(strip|lstrip|rstrip|startswith|endswith|split|title|upper|lower|replace)\\(");
    private static final String BLANK = " \t\n\r\f\u000B";

    private PythonMethods() {}

    static String asFunctions(String template) {
        return TAG.matcher(template).replaceAll(tag -> Matcher.quoteReplacement(rewrite(tag.group())));
    }

    static List<ELFunctionDefinition> functions() {
        return Arrays.stream(PythonMethods.class.getMethods())
                .filter(method -> method.getName().startsWith("py_"))
                .map((Method method) -> new ELFunctionDefinition("", method.getName(), method))
                .toList();
    }

    /** From left to right, so that what one call gives can be what the next is called on. */
    private static String rewrite(String tag) {
        StringBuilder text = new StringBuilder(tag);
        Matcher call = CALL.matcher(text);
        int from = 0;
        while (call.find(from)) {
            int receiver = receiverStart(text, call.start());
            if (receiver == call.start()) {
                from = call.end();
                continue;
            }
            String name = "py_" + call.group(1) + "(" + text.substring(receiver, call.start());
            boolean hasArguments = call.end() < text.length() && text.charAt(call.end()) != ')';
            text.replace(receiver, call.end(), name + (hasArguments ? ", " : ""));
            from = receiver + name.length();
            call = CALL.matcher(text);
        }
        return text.toString();
    }

    /** Where the expression before {@code end} begins: names, dots, and whatever stands in brackets or quotes. */
    private static int receiverStart(CharSequence text, int end) {
        int at = end;
        while (at > 0) {
            char c = text.charAt(at - 1);
            if (Character.isLetterOrDigit(c) || c == '_' || c == '.') {
                at--;
            } else if (c == ')' || c == ']') {
                at = opening(text, at - 1);
            } else if (c == '\'' || c == '"') {
                at = quoteStart(text, at - 1);
            } else {
                break;
            }
        }
        return at;
    }

    private static int opening(CharSequence text, int closing) {
        int depth = 0;
        for (int at = closing; at >= 0; at--) {
            char c = text.charAt(at);
            if (c == '\'' || c == '"') {
                at = quoteStart(text, at);
            } else if (c == ')' || c == ']') {
                depth++;
            } else if ((c == '(' || c == '[') && --depth == 0) {
                return at;
            }
        }
        return closing + 1;
    }

    private static int quoteStart(CharSequence text, int closing) {
        for (int at = closing - 1; at >= 0; at--) {
            if (text.charAt(at) == text.charAt(closing) && (at == 0 || text.charAt(at - 1) != '\\')) {
                return at;
            }
        }
        return closing;
    }

    public static String py_strip(Object text, Object... set) {
        return strip(text, set, true, true);
    }

    public static String py_lstrip(Object text, Object... set) {
        return strip(text, set, true, false);
    }

    public static String py_rstrip(Object text, Object... set) {
        return strip(text, set, false, true);
    }

    private static String strip(Object value, Object[] given, boolean left, boolean right) {
        String text = value.toString();
        String set = given.length > 0 ? given[0].toString() : BLANK;
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

    public static boolean py_startswith(Object text, Object beginning) {
        return text.toString().startsWith(beginning.toString());
    }

    public static boolean py_endswith(Object text, Object ending) {
        return text.toString().endsWith(ending.toString());
    }

    /** @param by a separator, and how many cuts at most; neither: any white space */
    public static List<String> py_split(Object text, Object... by) {
        if (by.length == 0) {
            return List.of(strip(text, by, true, true).split("\\s+"));
        }
        int limit = by.length > 1 ? Integer.parseInt(by[1].toString()) + 1 : -1;
        return List.of(text.toString().split(Pattern.quote(by[0].toString()), limit));
    }

    public static String py_title(Object text) {
        StringBuilder title = new StringBuilder(py_lower(text));
        for (int i = 0; i < title.length(); i++) {
            if (i == 0 || !Character.isLetter(title.charAt(i - 1))) {
                title.setCharAt(i, Character.toTitleCase(title.charAt(i)));
            }
        }
        return title.toString();
    }

    public static String py_upper(Object text) {
        return text.toString().toUpperCase(Locale.ROOT);
    }

    public static String py_lower(Object text) {
        return text.toString().toLowerCase(Locale.ROOT);
    }

    public static String py_replace(Object text, Object old, Object by) {
        return text.toString().replace(old.toString(), by.toString());
    }
}
