package dev.tsumugi.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ./tsumugi bench NAME}. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        description = "Measures the engine, or the running platform. Each answer is checked before it is timed.",
        footer = {
            "",
            "NAME is one of: engine, kernels, training, training-retrieval, reader, peft (no platform needed), ingest, search,",
            "ask, memory, platform (the last four), search-large (takes minutes). reader trains the adapter grounded-reader with --data, --validation and --folder, and",
            "measures it; see docs/grounded-reader.md.",
            "All but the first six need a platform: ./tsumugi up --detach"
        })
public final class Bench implements Runnable {
    @Parameters(paramLabel = "NAME", description = "what to measure")
    private String name = "";

    @Option(names = "--json", description = "one JSON object a line instead of a table")
    private boolean json;

    @Option(names = "--runs", defaultValue = "5", description = "runs of each figure (default ${DEFAULT-VALUE})")
    private int runs;

    @Option(
            names = "--model",
            description =
                    "engine, training, reader: a GGUF file or model folder (default: the catalogue's small model);"
                            + " peft: a folder of safetensors")
    private @Nullable Path model;

    @Option(
            names = "--backend",
            defaultValue = "auto",
            description = "engine, training, reader: auto, vector, onednn; engine also reference, cuda")
    private String backend = "auto";

    @Option(names = "--threads", description = "engine, kernels, training, reader: default all processors")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(
            names = "--text",
            description = "engine: file for perplexity, one paragraph a line (default: some of our docs)")
    private @Nullable Path text;

    @Option(
            names = "--figures",
            defaultValue = "",
            description =
                    "engine, kernels: only figures whose name this regular expression finds, such as 'prefill|decode'")
    private Pattern figures = Pattern.compile("");

    @Option(names = "--data", description = "reader: questions to train on, in the format of SQuAD 2.0")
    private @Nullable Path data;

    @Option(names = "--validation", description = "reader: questions to measure on, of other documents")
    private @Nullable Path validation;

    @Option(names = "--folder", description = "reader: for checkpoints and the adapter")
    private @Nullable Path folder;

    @Option(
            names = "--examples",
            defaultValue = "2480",
            description = "reader: questions to train on, at most (default ${DEFAULT-VALUE})")
    private int examples;

    @Option(
            names = "--steps",
            defaultValue = "300",
            description = "reader: steps of training, of about 2,000 tokens (default ${DEFAULT-VALUE})")
    private int steps;

    @Option(
            names = "--questions",
            defaultValue = "700",
            description = "reader: questions to measure on, at most (default ${DEFAULT-VALUE})")
    private int questions;

    @Option(
            names = "--python",
            defaultValue = "python3",
            description = "peft: a Python with torch, transformers and peft (default ${DEFAULT-VALUE})")
    private String python = "python3";

    @Option(names = "--svg", description = "also draw the figures into this file")
    private @Nullable Path svg;

    private Bench() {}

    /** Exit codes: 0 done, 1 failed, 2 usage. */
    public static void main(String[] arguments) {
        CommandLine line = new CommandLine(new Bench()).setExecutionExceptionHandler((e, command, result) -> {
            command.getErr().println(e instanceof BenchException ? e.getMessage() : e.toString());
            return 1;
        });
        System.exit(line.execute(arguments));
    }

    @Override
    public void run() {
        if (runs < 1 || runs > 1000) {
            throw new CommandLine.ParameterException(new CommandLine(this), "--runs must be 1 to 1000");
        }
        List<Figure> taken = new ArrayList<>();
        for (Suite suite : suites()) {
            if (!json) {
                System.out.println(suite.description());
            }
            suite.run(runs, figure -> {
                System.out.println(json ? figure.toJson() : "  " + figure.toRow());
                taken.add(figure);
            });
        }
        if (svg != null) {
            Chart.write(taken, svg);
        }
    }

    private List<Suite> suites() {
        List<Suite> chosen = new ArrayList<>();
        if (name.equals("engine")) {
            chosen.add(new EngineSuite(model, backend, threads, text, figures));
            return chosen;
        }
        if (name.equals("kernels")) {
            chosen.add(new KernelSuite(threads, figures));
            return chosen;
        }
        if (name.equals("training")) {
            chosen.add(new TrainingSuite(model, backend, threads));
            return chosen;
        }
        if (name.equals("training-retrieval")) {
            chosen.add(new TrainingRetrievalSuite());
            return chosen;
        }
        if (name.equals("reader")) {
            if (data == null || validation == null || folder == null) {
                throw new CommandLine.ParameterException(
                        new CommandLine(this), "reader needs --data, --validation and --folder");
            }
            chosen.add(new ReaderSuite(model, backend, threads, data, validation, folder, examples, steps, questions));
            return chosen;
        }
        if (name.equals("peft")) {
            chosen.add(new PeftSuite(model, python));
            return chosen;
        }
        boolean all = name.equals("platform");
        if (!all
                && !List.of("ingest", "search", "ask", "memory", "search-large").contains(name)) {
            throw new CommandLine.ParameterException(
                    new CommandLine(this), "unknown benchmark '" + name + "'; see ./tsumugi bench --help");
        }
        PlatformClient platform = new PlatformClient(Locations.home(), Locations.port());
        if (name.equals("search-large")) {
            chosen.add(new LargeSearchSuite(platform));
            return chosen;
        }
        for (Suite suite : List.of(
                new IngestSuite(platform),
                new SearchSuite(platform),
                new AskSuite(platform),
                new MemorySuite(platform))) {
            if (all || suite.name().equals(name)) {
                chosen.add(suite);
            }
        }
        return chosen;
    }
}
