package dev.tsumugi.engine.files;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A model on the Hugging Face hub.
 *
 * @param revision branch, tag or commit
 * @param file the one GGUF file that is wanted; null: whatever makes up the model
 */
record HubReference(
        String owner,
        String name,
        String revision,
        @Nullable String file) {
    private static final String WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}";
    private static final Pattern FORM =
            Pattern.compile("(" + WORD + ")/(" + WORD + ")(?:@(" + WORD + "))?(?::(" + WORD + "\\.gguf))?");

    /** @return null for something that is no repository id; a name with {@code ..} is none */
    static @Nullable HubReference parse(String text) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches() || text.contains("..") || text.endsWith(".gguf") && !text.contains(":")) {
            return null;
        }
        String revision = matcher.group(3);
        return new HubReference(
                matcher.group(1), matcher.group(2), revision == null ? "main" : revision, matcher.group(4));
    }

    String repository() {
        return owner + "/" + name;
    }

    /** {@code owner/name}, for people and in errors. */
    @Override
    public String toString() {
        return repository() + (revision.equals("main") ? "" : "@" + revision) + (file == null ? "" : ":" + file);
    }
}
