package dev.tsumugi.bench;

import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** From a question to the first token and to the whole answer, with five passages retrieved. */
final class AskSuite implements Suite {
    private static final int PASSAGES = 5;
    private static final List<String> TEAMS = List.of("red", "blue", "green", "white", "black");

    private final PlatformClient platform;

    AskSuite(PlatformClient platform) {
        this.platform = platform;
    }

    @Override
    public String name() {
        return "ask";
    }

    @Override
    public String description() {
        return "Ask: time from the question to the first token and to the end, " + PASSAGES + " passages";
    }

    @Override
    public void run(int runs, Consumer<Figure> figures) {
        for (int i = 0; i < TEAMS.size(); i++) {
            platform.put("ask-" + TEAMS.get(i), document(i));
        }
        for (String team : TEAMS) {
            new Waiting(platform).untilIndexed("ask-" + team);
        }
        check(platform.ask(question(0, 0), PASSAGES), 0);
        double[] first = new double[runs];
        double[] total = new double[runs];
        Processors processors = new Processors(Locations.platformProcesses(platform.home()));
        for (int run = 0; run < runs; run++) {
            // Another wording each time, so that no cache of an earlier question helps.
            int team = (run + 1) % TEAMS.size();
            PlatformClient.TimedAnswer answer = platform.ask(question(team, run + 1), PASSAGES);
            check(answer, team);
            first[run] = answer.firstTokenMillis();
            total[run] = answer.totalMillis();
        }
        double others = processors.otherCores();
        int threads = Runtime.getRuntime().availableProcessors();
        figures.accept(new Figure("ask: question to first token", "ms", first, threads, others));
        figures.accept(new Figure("ask: question to end of answer", "ms", total, threads, others));
        TEAMS.forEach(team -> platform.delete("ask-" + team));
    }

    private static void check(PlatformClient.TimedAnswer answer, int team) {
        BenchException.require(
                answer.done().get("answered").booleanValue()
                        && answer.done().get("answer").stringValue().contains(Integer.toString(10 + team)),
                "the answer does not name room " + (10 + team) + ": " + answer.done());
        BenchException.require(!answer.done().get("citations").isEmpty(), "the answer has no citation");
    }

    private static String question(int team, int variant) {
        List<String> forms = List.of(
                "In which room does the %s team meet?",
                "Which room does the %s team use for its meeting?",
                "Where, in which room, does the %s team meet every week?");
        return forms.get(variant % forms.size()).formatted(TEAMS.get(team));
    }

    private static String document(int team) {
        String name = TEAMS.get(team);
        return "The %s team meets in room %d. ".formatted(name, 10 + team)
                + IntStream.range(0, 18)
                        .mapToObj(
                                i -> "The %s team keeps note %d about its tools and machines in the cabinet of hall %d."
                                        .formatted(name, i, 40 + team))
                        .reduce("", (a, b) -> a + b + " ");
    }
}
