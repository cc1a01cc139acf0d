package dev.tsumugi.system;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.assertions.LocatorAssertions.HasTextOptions;
import com.microsoft.playwright.assertions.LocatorAssertions.IsVisibleOptions;
import com.microsoft.playwright.options.FilePayload;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The page in a real browser against the real platform. */
class PageIT {
    private static final List<String> BROWSERS =
            List.of("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome");
    private static final double SLOW = 120_000;

    private static Playwright playwright;
    private static Browser browser;
    private static RunningPlatform platform;

    private final List<String> complaints = new CopyOnWriteArrayList<>();
    private Page page;

    @BeforeAll
    static void start() {
        Path chromium = BROWSERS.stream()
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElseGet(() ->
                        Skipped.because("the page is not tested: there is no chromium; apt-get install chromium"));
        playwright = Playwright.create(
                new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
        browser = playwright
                .chromium()
                .launch(new BrowserType.LaunchOptions()
                        .setExecutablePath(chromium)
                        .setHeadless(true)
                        // Needs rights that containers rarely give.
                        .setChromiumSandbox(false));
        platform = SharedPlatform.get();
    }

    @AfterAll
    static void stop() {
        if (playwright != null) {
            playwright.close();
        }
    }

    @AfterEach
    void nothingWasBlockedOrBroken() {
        if (page != null) {
            page.context().close();
        }
        assertThat(complaints).isEmpty();
    }

    private Page open(String locale, String fragment) {
        page = browser.newContext(new Browser.NewContextOptions().setLocale(locale))
                .newPage();
        page.onPageError(complaints::add);
        page.onDialog(dialog -> {
            complaints.add("dialog: " + dialog.message());
            dialog.dismiss();
        });
        page.onConsoleMessage(message -> {
            if (message.text().contains("Content Security Policy")) {
                complaints.add(message.text());
            }
        });
        page.navigate("http://localhost:" + platform.port() + "/" + fragment);
        return page;
    }

    private Page openSignedIn() {
        return open("en-US", "#key=" + platform.key());
    }

    private static FilePayload file(String name, String content) {
        return new FilePayload(name, "text/plain", content.getBytes(StandardCharsets.UTF_8));
    }

    private Locator document(String title) {
        return page.locator("#documents li").filter(new Locator.FilterOptions().setHasText(title));
    }

    private void upload(String name, String content) {
        page.locator("#files").setInputFiles(file(name, content));
        assertThat(document(name).locator(".state"))
                .hasText(Pattern.compile("Ready.*"), new HasTextOptions().setTimeout(SLOW));
    }

    private void ask(String question) {
        page.locator("#question").fill(question);
        page.locator("#question").press("Enter");
        assertThat(page.locator("article").first().locator(".foot")).isVisible(new IsVisibleOptions().setTimeout(SLOW));
    }

    @Test
    void a_key_is_asked_for_and_a_wrong_one_is_refused() {
        open("en-US", "");
        assertThat(page.locator("#key")).isFocused();
        page.locator("#key").fill("certainly-not-the-key");
        page.locator("#key").press("Enter");
        assertThat(page.locator("#key-error")).containsText("not accepted");
        assertThat(page.locator("#desk")).isHidden();
        page.locator("#key").fill(platform.key());
        page.locator("#key").press("Enter");
        assertThat(page.locator("#question")).isFocused();
        page.locator("#sign-out").click();
        assertThat(page.locator("#key")).isVisible();
    }

    @Test
    void a_key_in_the_address_is_taken_out_of_it_and_kept_for_the_tab() {
        openSignedIn();
        assertThat(page.locator("#desk")).isVisible();
        assertThat(page.url()).doesNotContain("key");
        page.reload();
        assertThat(page.locator("#desk")).isVisible();
    }

    @Test
    void an_uploaded_document_answers_a_question_and_its_citation_shows_the_passage() {
        openSignedIn();
        upload(
                "lighthouse-page-test.txt",
                "The lighthouse of Kirishima Point was built in 1931. Its keeper is Hanako Morita. "
                        + "The lamp turns once every twelve seconds.");
        ask("Who is the keeper of the lighthouse of Kirishima Point?");
        Locator answer = page.locator("article").first();
        assertThat(answer.locator(".text")).containsText("Morita");
        Locator source = answer.locator(".source").first();
        assertThat(source).containsText("lighthouse-page-test");
        String quote = source.locator(".quote").textContent();
        source.click();
        assertThat(page.locator("#passage mark")).hasText(quote);
        assertThat(page.locator("#passage-text")).containsText("The lamp turns once every twelve seconds.");
        page.keyboard().press("Escape");
        assertThat(page.locator("#passage")).isHidden();
    }

    @Test
    void a_question_that_the_documents_do_not_answer_says_so() {
        openSignedIn();
        ask("Which football club won the cup of Liechtenstein in 1987?");
        assertThat(page.locator("article").first().locator(".notice")).containsText("do not answer");
    }

    @Test
    void names_and_contents_are_never_markup() {
        openSignedIn();
        String name = "<img src=x onerror=alert(1)>.txt";
        upload(name, "The <script>alert(2)</script> budget of project Umeboshi is 4711 euros.");
        assertThat(document(name).locator(".title")).containsText("<img");
        assertThat(page.locator("#documents img")).hasCount(0);
    }

    @Test
    void a_document_is_deleted_by_keyboard_after_a_question() {
        openSignedIn();
        upload("soon-gone-page-test.txt", "This document lives only for a moment.");
        document("soon-gone-page-test").locator("button").focus();
        page.keyboard().press("Enter");
        assertThat(page.locator("#confirm")).isVisible();
        page.locator("#confirm button[value=no]").press("Enter");
        assertThat(document("soon-gone-page-test")).isVisible();
        document("soon-gone-page-test").locator("button").press("Enter");
        page.locator("#confirm button[value=yes]").press("Enter");
        assertThat(document("soon-gone-page-test"))
                .hasCount(
                        0,
                        new com.microsoft.playwright.assertions.LocatorAssertions.HasCountOptions().setTimeout(SLOW));
    }

    @Test
    void a_japanese_browser_gets_a_japanese_page() {
        open("ja-JP", "#key=" + platform.key());
        assertThat(page.locator("html")).hasAttribute("lang", "ja");
        assertThat(page.locator("#ask")).hasText("質問する");
        assertThat(page.locator("#documents-title")).hasText("文書");
    }

    @Test
    void a_file_that_cannot_be_read_says_why() {
        openSignedIn();
        page.locator("#files")
                .setInputFiles(new FilePayload(
                        "cut-off-page-test.pdf",
                        "application/pdf",
                        "%PDF-1.7\n1 0 obj".getBytes(StandardCharsets.UTF_8)));
        Locator row =
                page.locator(".document.failed").filter(new Locator.FilterOptions().setHasText("cut-off-page-test"));
        assertThat(row.locator(".error"))
                .not()
                .isEmpty(new com.microsoft.playwright.assertions.LocatorAssertions.IsEmptyOptions().setTimeout(SLOW));
    }
}
