package dev.tsumugi.engine.cuda;

import dev.tsumugi.engine.kernels.Backend;
import dev.tsumugi.engine.kernels.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * The kernels compiled for this machine's processor behind functions of the CUDA driver's names, so that tests run the whole backend without a
 * GPU: the library takes the driver's place.
 */
final class Emulation {
    private static final Path SOURCES = Path.of("src/main/cuda");
    private static final Path TEST_SOURCES = Path.of("src/test/cuda");
    private static final Path LIBRARY =
            Path.of("target/emulation/libcuda-emulation.so").toAbsolutePath();
    private static final int COMPILE_SECONDS = 300;
    private static final byte[] CODE = "EMULATED".getBytes(StandardCharsets.US_ASCII);

    private Emulation() {}

    private static final class Library {
        static final Optional<SymbolLookup> SYMBOLS = open();

        private static Optional<SymbolLookup> open() {
            try {
                Files.createDirectories(LIBRARY.getParent());
                // Several test JVMs may come at once: one compiles, the others wait for it.
                try (FileChannel lock = FileChannel.open(
                        LIBRARY.resolveSibling("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                    lock.lock();
                    if (!Files.exists(LIBRARY) || isOlder()) {
                        compile();
                    }
                }
                return Optional.of(SymbolLookup.libraryLookup(LIBRARY, Arena.global()));
            } catch (NoCompilerException e) {
                System.err.println("*** g++ IS MISSING: THE GPU KERNELS ARE NOT TESTED. Install g++ 9 or later. ***");
                return Optional.empty();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }
    }

    @SuppressWarnings("serial")
    private static final class NoCompilerException extends IOException {
        NoCompilerException(IOException cause) {
            super(cause);
        }
    }

    private static boolean isOlder() throws IOException {
        long built = Files.getLastModifiedTime(LIBRARY).toMillis();
        for (Path folder : List.of(SOURCES, TEST_SOURCES)) {
            try (Stream<Path> files = Files.list(folder)) {
                for (Path file : files.toList()) {
                    if (Files.getLastModifiedTime(file).toMillis() >= built) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    private static void compile() throws IOException, InterruptedException {
        Path log = LIBRARY.resolveSibling("g++.log");
        Process compiler;
        try {
            // Contraction would round differently from Java, and from what the kernels ask the device to do.
            compiler = new ProcessBuilder(
                            "g++",
                            "-std=c++17",
                            "-O2",
                            "-ffp-contract=off",
                            "-fPIC",
                            "-shared",
                            "-I" + TEST_SOURCES,
                            "-I" + SOURCES,
                            "-x",
                            "c++",
                            "-o",
                            LIBRARY.toString(),
                            TEST_SOURCES.resolve("emulation.cpp").toString())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
        } catch (IOException e) {
            throw new NoCompilerException(e);
        }
        if (!compiler.waitFor(COMPILE_SECONDS, TimeUnit.SECONDS)) {
            compiler.destroyForcibly();
            throw new IllegalStateException("g++ took more than " + COMPILE_SECONDS + " s");
        }
        if (compiler.exitValue() != 0) {
            throw new IllegalStateException("g++ refused the kernels:\n" + Files.readString(log));
        }
    }

    /** Skips the calling test where there is no compiler. */
    static CudaDriver driver() {
        Optional<SymbolLookup> symbols = Library.SYMBOLS;
        Assumptions.assumeTrue(symbols.isPresent(), "g++ is missing: the kernels are not tested");
        return new CudaDriver(symbols.get());
    }

    /** What the emulated driver takes for device code. */
    static byte[] code() {
        return CODE.clone();
    }

    static Device device() {
        return new Device(driver(), 0, CODE, MemoryShare.DEFAULT);
    }

    static Backend backend(Precision precision) {
        return new CudaBackend(device(), precision);
    }

    /** The next call of a function of the driver answers this code. */
    static void failNext(String function, int code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(function);
            call(
                    "emulation_fail_next",
                    FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                    name,
                    code);
        }
    }

    /** How many graphs have run in this process. */
    static long graphLaunches() {
        return (long) call("emulation_graph_launches", FunctionDescriptor.of(ValueLayout.JAVA_LONG));
    }

    private static Object call(String function, FunctionDescriptor descriptor, Object... arguments) {
        try {
            return Linker.nativeLinker()
                    .downcallHandle(Library.SYMBOLS.orElseThrow().findOrThrow(function), descriptor)
                    .invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
