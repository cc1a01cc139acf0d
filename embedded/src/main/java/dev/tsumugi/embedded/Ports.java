package dev.tsumugi.embedded;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** TCP ports of this machine's loopback address. */
public final class Ports {
    /** Below the range from which operating systems take ports for outgoing connections, so that nothing takes one between test and use. */
    private static final int FIRST_FREE = 20_000;

    private static final int LAST_FREE = 32_000;

    private static final long LOOK_AGAIN_MILLIS = 100;

    private Ports() {}

    /** True when nobody listens on {@code port} of the loopback address. */
    public static boolean isFree(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true); // a connection of the last run that is still closing does no harm
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Waits until nobody listens on {@code port}.
     *
     * @param deadline of {@link System#nanoTime}
     * @return false when somebody still does then, or this thread is interrupted
     */
    public static boolean becomesFree(int port, long deadline) {
        while (!isFree(port)) {
            if (System.nanoTime() - deadline >= 0) {
                return false;
            }
            try {
                Thread.sleep(LOOK_AGAIN_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
    }

    /** The first of {@code count} neighbouring ports that are all free. */
    public static int free(int count) {
        for (int attempt = 0; attempt < 1000; attempt++) {
            int first = ThreadLocalRandom.current().nextInt(FIRST_FREE, LAST_FREE - count);
            boolean all = true;
            for (int port = first; all && port < first + count; port++) {
                all = isFree(port);
            }
            if (all) {
                return first;
            }
        }
        throw new EmbeddedStartException("No " + count + " free ports between " + FIRST_FREE + " and " + LAST_FREE);
    }

    /**
     * Which process listens on {@code port}, where the system tells us (Linux, and processes that we may look into).
     *
     * @return for people, such as {@code process 4711 (/usr/bin/java)}
     */
    public static Optional<String> holder(int port) {
        try {
            Set<String> sockets = new HashSet<>();
            for (String table : new String[] {"/proc/net/tcp", "/proc/net/tcp6"}) {
                if (Files.isReadable(Path.of(table))) {
                    collectListeners(Path.of(table), port, sockets);
                }
            }
            return sockets.isEmpty() ? Optional.empty() : processWith(sockets);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Columns of the table, from 0: 1 local address:port in hexadecimal, 3 state (0A is listening), 9 inode. */
    private static void collectListeners(Path table, int port, Set<String> sockets) throws IOException {
        String suffix = String.format(Locale.ROOT, ":%04X", port);
        for (String line : Files.readAllLines(table)) {
            String[] column = line.strip().split("\\s+");
            if (column.length > 9 && column[1].endsWith(suffix) && column[3].equals("0A")) {
                sockets.add("socket:[" + column[9] + "]");
            }
        }
    }

    private static Optional<String> processWith(Set<String> sockets) throws IOException {
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                if (holdsOneOf(process.resolve("fd"), sockets)) {
                    long pid = Long.parseLong(process.getFileName().toString());
                    String program = ProcessHandle.of(pid)
                            .flatMap(handle -> handle.info().command())
                            .map(command -> " (" + command + ")")
                            .orElse("");
                    return Optional.of("process " + pid + program);
                }
            }
        }
        return Optional.empty();
    }

    private static boolean holdsOneOf(Path descriptors, Set<String> sockets) {
        try (DirectoryStream<Path> all = Files.newDirectoryStream(descriptors)) {
            for (Path descriptor : all) {
                if (Files.isSymbolicLink(descriptor)
                        && sockets.contains(Files.readSymbolicLink(descriptor).toString())) {
                    return true;
                }
            }
        } catch (IOException | java.nio.file.DirectoryIteratorException e) {
            return false; // not ours to look into, or gone
        }
        return false;
    }
}
