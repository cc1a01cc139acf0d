package dev.tsumugi.launcher.doctor;

import com.sun.management.OperatingSystemMXBean;
import dev.tsumugi.embedded.EmbeddedPostgres;
import dev.tsumugi.embedded.Ports;
import dev.tsumugi.embedded.downloads.DownloadException;
import dev.tsumugi.embedded.downloads.Downloads;
import dev.tsumugi.engine.kernels.BackendProvider;
import dev.tsumugi.engine.kernels.Backends;
import dev.tsumugi.launcher.runtime.PlatformRecord;
import dev.tsumugi.launcher.runtime.PortPlan;
import dev.tsumugi.launcher.runtime.StateFolder;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Looks at everything that Tsumugi needs of a machine. Changes nothing and starts nothing. */
public final class Doctor {
    private static final int JAVA = 25;
    private static final String GPU_BACKEND = "cuda";
    private static final long GIBIBYTE = 1L << 30;
    private static final long MEMORY_NEEDED = 3 * GIBIBYTE;
    private static final long DISK_NEEDED = 2 * GIBIBYTE;

    private final StateFolder home;
    private final PortPlan ports;
    private final Map<String, String> environment;
    private final Downloads downloads = Downloads.inDefaultCache();

    public Doctor(StateFolder home, PortPlan ports, Map<String, String> environment) {
        this.home = home;
        this.ports = ports;
        this.environment = environment;
    }

    public List<Finding> examine() {
        Optional<PlatformRecord> running = PlatformRecord.running(home);
        List<Finding> findings = new ArrayList<>();
        findings.add(java());
        findings.add(processor());
        findings.add(memory(running.isPresent()));
        findings.add(ports(running));
        findings.add(disk("disk for state", home.path(), "TSUMUGI_HOME"));
        findings.add(disk("disk for cache", downloads.cache(), "TSUMUGI_CACHE"));
        findings.add(stateFolder());
        findings.add(adminKey());
        findings.add(pip());
        findings.add(postgres());
        findings.add(languageModel());
        findings.add(embeddingModel());
        findings.add(gpu());
        findings.add(running.map(record -> Finding.ok(
                        "Tsumugi",
                        (record.ready() ? "running" : "starting") + ", process " + record.pid() + ", http://localhost:"
                                + record.port()))
                .orElseGet(() -> Finding.ok("Tsumugi", "not running")));
        return findings;
    }

    private static Finding java() {
        String found = Runtime.version() + " in " + System.getProperty("java.home");
        return Runtime.version().feature() == JAVA
                ? Finding.ok("Java", found)
                : Finding.wrong("Java", found, "Install a JDK " + JAVA + " and set JAVA_HOME to it.");
    }

    private static Finding processor() {
        int cores = Runtime.getRuntime().availableProcessors();
        String found = cores + " cores, " + System.getProperty("os.arch") + vectorInstructions();
        return cores >= 2
                ? Finding.ok("processor", found)
                : Finding.poor("processor", found, "Two cores or more make answers faster.");
    }

    private static String vectorInstructions() {
        try {
            Path table = Path.of("/proc/cpuinfo");
            if (!Files.isReadable(table)) {
                return "";
            }
            List<String> flags = Files.readAllLines(table).stream()
                    .filter(line -> line.startsWith("flags"))
                    .findFirst()
                    .map(line -> List.of(line.split("\\s+")))
                    .orElse(List.of());
            String known = List.of("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile").stream()
                    .filter(flags::contains)
                    .collect(Collectors.joining(" "));
            return known.isEmpty() ? "" : " (" + known + ")";
        } catch (IOException e) {
            return "";
        }
    }

    private static Finding memory(boolean running) {
        long available = availableMemory();
        String found = gibibytes(available) + " available";
        if (running || available >= MEMORY_NEEDED) {
            return Finding.ok("memory", found);
        }
        String mend = "Tsumugi uses up to " + gibibytes(MEMORY_NEEDED)
                + ". Close other programs or give the machine more memory.";
        return available < MEMORY_NEEDED / 2
                ? Finding.wrong("memory", found, mend)
                : Finding.poor("memory", found, mend);
    }

    /** What programs can still get: Linux says so, and where a container has less, that counts. */
    private static long availableMemory() {
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long total = system.getTotalMemorySize();
        try {
            Path table = Path.of("/proc/meminfo");
            if (Files.isReadable(table)) {
                for (String line : Files.readAllLines(table)) {
                    if (line.startsWith("MemAvailable:")) {
                        return Math.min(total, Long.parseLong(line.replaceAll("\\D", "")) * 1024);
                    }
                }
            }
        } catch (IOException | NumberFormatException e) {
            return system.getFreeMemorySize();
        }
        return System.getProperty("os.name", "").startsWith("Mac") ? total : system.getFreeMemorySize();
    }

    private Finding ports(Optional<PlatformRecord> running) {
        if (running.isPresent()) {
            return Finding.ok(
                    "ports",
                    "in use by the running Tsumugi, from " + running.get().port() + " on");
        }
        List<String> busy = new ArrayList<>();
        ports.all().forEach((who, port) -> {
            if (!Ports.isFree(port)) {
                busy.add(port + " for " + who
                        + Ports.holder(port).map(holder -> " by " + holder).orElse(""));
            }
        });
        return busy.isEmpty()
                ? Finding.ok(
                        "ports",
                        "free: "
                                + ports.all().values().stream()
                                        .map(String::valueOf)
                                        .collect(Collectors.joining(" ")))
                : Finding.wrong(
                        "ports",
                        "in use: " + String.join("; ", busy),
                        "Stop those programs, or set TSUMUGI_PORT to another port; the others are counted from it.");
    }

    private static Finding disk(String what, Path folder, String variable) {
        Path existing = existingPart(folder);
        try {
            long free = Files.getFileStore(existing).getUsableSpace();
            String found = gibibytes(free) + " free for " + folder;
            return free >= DISK_NEEDED
                    ? Finding.ok(what, found)
                    : Finding.wrong(
                            what,
                            found,
                            "Make room (" + gibibytes(DISK_NEEDED) + " to begin with), or set " + variable
                                    + " to a folder on another disk.");
        } catch (IOException e) {
            return Finding.wrong(
                    what, folder + " cannot be looked at: " + e, "Set " + variable + " to another folder.");
        }
    }

    private Finding stateFolder() {
        Path folder = existingPart(home.path());
        if (!Files.isWritable(folder)) {
            return Finding.wrong(
                    "state folder",
                    folder + " cannot be written by " + System.getProperty("user.name"),
                    "Give this account the right to write there, or set TSUMUGI_HOME to another folder.");
        }
        Optional<String> obstacle =
                Files.exists(home.path()) ? EmbeddedPostgres.obstacle(home.path()) : Optional.empty();
        return obstacle.map(reason -> Finding.wrong("state folder", home.path() + ": " + reason, "See there."))
                .orElseGet(() -> Finding.ok(
                        "state folder", home.path() + (Files.exists(home.path()) ? "" : " (made at the first start)")));
    }

    private Finding adminKey() {
        Path file = home.adminKeyFile();
        if (!Files.exists(file)) {
            return Finding.ok("admin key", "made at the first start");
        }
        if (home.adminKey().isEmpty()) {
            return Finding.wrong(
                    "admin key",
                    file + " is empty or cannot be read",
                    "Run as the account that started Tsumugi, or delete the file: the next start makes a new key.");
        }
        try {
            String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
            return mode.endsWith("------")
                    ? Finding.ok("admin key", file.toString())
                    : Finding.poor("admin key", file + " can be read by others (" + mode + ")", "chmod 600 " + file);
        } catch (IOException e) {
            return Finding.wrong("admin key", file + ": " + e, "Check the state folder.");
        }
    }

    private boolean needsDownload() {
        return !downloads.hasPostgres()
                || (environment.getOrDefault("TSUMUGI_MODEL", "").isBlank() && !downloads.hasLanguageModel());
    }

    private Finding pip() {
        Optional<String> version = downloads.pipVersion();
        if (version.isPresent()) {
            return Finding.ok("pip", version.get());
        }
        String mend = "Install it: apt-get install python3-pip, dnf install python3-pip, or brew install python.";
        return needsDownload()
                ? Finding.wrong("pip", "missing, and something must be fetched", mend)
                : Finding.poor("pip", "missing, but everything is fetched", mend);
    }

    private Finding postgres() {
        try {
            if (!downloads.hasPostgres()) {
                return Finding.ok("PostgreSQL", "fetched at the first start (25 MB)");
            }
            return Finding.ok("PostgreSQL", downloads.postgres().toString());
        } catch (DownloadException e) {
            return Finding.wrong("PostgreSQL", String.valueOf(e.getMessage()), "Use one of the supported machines.");
        }
    }

    private Finding languageModel() {
        String own = environment.getOrDefault("TSUMUGI_MODEL", "");
        if (!own.isBlank()) {
            return localModel("language model", own, "TSUMUGI_MODEL");
        }
        return Finding.ok(
                "language model",
                downloads.hasLanguageModel()
                        ? downloads.languageModel().toString()
                        : "fetched at the first start (93 MB)");
    }

    private Finding embeddingModel() {
        String own = environment.getOrDefault("TSUMUGI_EMBEDDING_MODEL", "");
        if (own.isBlank()) {
            return Finding.ok("embedding model", "e5-small-v2, part of the build");
        }
        for (String file : List.of("model.onnx", "tokenizer.json")) {
            if (!Files.isReadable(Path.of(own, file))) {
                return Finding.wrong(
                        "embedding model",
                        "TSUMUGI_EMBEDDING_MODEL is " + own + " and has no readable " + file,
                        "Name a folder with model.onnx and tokenizer.json, or unset it for the default.");
            }
        }
        return Finding.ok("embedding model", own);
    }

    private static Finding localModel(String what, String own, String variable) {
        boolean looksLocal = own.startsWith("/") || own.startsWith(".") || own.endsWith(".gguf");
        return looksLocal && !Files.isReadable(Path.of(own))
                ? Finding.wrong(
                        what,
                        variable + " is " + own + ", which cannot be read",
                        "Correct it, or unset it for the default model.")
                : Finding.ok(what, own);
    }

    /** No GPU is no fault: the processor answers. */
    private static Finding gpu() {
        for (BackendProvider provider : Backends.providers()) {
            if (provider.name().equals(GPU_BACKEND)) {
                BackendProvider.Availability availability = provider.availability();
                return availability.available()
                        ? Finding.ok("GPU", "can be used")
                        : Finding.ok("GPU", "not used: " + availability.reason());
            }
        }
        return Finding.ok("GPU", "this build has no GPU backend; answers come from the processor");
    }

    private static Path existingPart(Path folder) {
        Path existing = folder;
        while (!Files.exists(existing) && existing.getParent() != null) {
            existing = existing.getParent();
        }
        return existing;
    }

    private static String gibibytes(long bytes) {
        return String.format(java.util.Locale.ROOT, "%.1f GiB", bytes / (double) GIBIBYTE);
    }
}
