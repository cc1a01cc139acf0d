package dev.tsumugi.bench;

import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Made-up reports, different for each number, whose sentences can be told apart. */
final class SampleText {
    static final int SENTENCES = 60;

    private static final List<String> NOUNS = List.of(
            "pressure",
            "valve",
            "report",
            "engineer",
            "temperature",
            "schedule",
            "customer",
            "invoice",
            "turbine",
            "inspection",
            "contract",
            "delivery",
            "warehouse",
            "budget",
            "training",
            "machine",
            "sensor",
            "repair",
            "quality",
            "meeting");

    private SampleText() {}

    static String report(int number, Random random) {
        return IntStream.range(0, SENTENCES)
                .mapToObj(i -> "In case " + number + "-" + random.nextInt(100_000) + " the " + noun(random) + " of the "
                        + noun(random) + " was found to need a new " + noun(random) + ".")
                .collect(Collectors.joining(" "));
    }

    private static String noun(Random random) {
        return NOUNS.get(random.nextInt(NOUNS.size()));
    }
}
