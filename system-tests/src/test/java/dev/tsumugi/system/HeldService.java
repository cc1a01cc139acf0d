package dev.tsumugi.system;

import com.sun.jdi.Bootstrap;
import com.sun.jdi.Method;
import com.sun.jdi.ReferenceType;
import com.sun.jdi.VMDisconnectedException;
import com.sun.jdi.VirtualMachine;
import com.sun.jdi.connect.Connector;
import com.sun.jdi.connect.IllegalConnectorArgumentsException;
import com.sun.jdi.connect.ListeningConnector;
import com.sun.jdi.event.BreakpointEvent;
import com.sun.jdi.event.ClassPrepareEvent;
import com.sun.jdi.event.Event;
import com.sun.jdi.event.EventSet;
import com.sun.jdi.event.MethodExitEvent;
import com.sun.jdi.event.VMStartEvent;
import com.sun.jdi.request.BreakpointRequest;
import com.sun.jdi.request.ClassPrepareRequest;
import com.sun.jdi.request.EventRequest;
import com.sun.jdi.request.MethodExitRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A service in a process of its own, which a debugger can hold at a method and which is then killed there: what lies on disks, in databases and
 * topics at that moment is all that is left.
 */
final class HeldService implements AutoCloseable {
    private static final Duration REACHED_WITHIN = Duration.ofMinutes(2);

    private final Class<?> main;
    private final List<String> jvmOptions;
    private final Map<String, Object> properties;
    private final Path output;
    private @Nullable Process process;
    private @Nullable VirtualMachine machine;
    private volatile CompletableFuture<Void> reached = new CompletableFuture<>();

    HeldService(Class<?> main, List<String> jvmOptions, Map<String, Object> properties, Path output) {
        this.main = main;
        this.jvmOptions = jvmOptions;
        this.properties = properties;
        this.output = output;
    }

    /**
     * A method whose first caller is held, by its name, because services hide their classes.
     *
     * @param after held as it returns, not as it begins
     */
    record Place(String className, String method, boolean after) {
        static Place before(String className, String method) {
            return new Place(className, method, false);
        }

        static Place after(String className, String method) {
            return new Place(className, method, true);
        }

        @Override
        public String toString() {
            return (after ? "after " : "before ") + className.replaceAll(".*\\.", "") + "." + method;
        }
    }

    /** Starts the process; whoever reaches a place, if there is one, is held there. */
    void start(Place... places) {
        try {
            ListeningConnector connector = Bootstrap.virtualMachineManager().listeningConnectors().stream()
                    .filter(one -> one.name().equals("com.sun.jdi.SocketListen"))
                    .findFirst()
                    .orElseThrow();
            Map<String, Connector.Argument> arguments = connector.defaultArguments();
            arguments.get("localAddress").setValue("127.0.0.1");
            arguments.get("timeout").setValue(String.valueOf(REACHED_WITHIN.toMillis()));
            String address = connector.startListening(arguments);
            process = launch("-agentlib:jdwp=transport=dt_socket,server=n,suspend=y,address=" + address);
            machine = connector.accept(arguments);
            connector.stopListening(arguments);
            CompletableFuture<Void> begun = new CompletableFuture<>();
            reached = new CompletableFuture<>();
            VirtualMachine started = machine;
            Thread.ofPlatform().daemon().name("debugger").start(() -> takeEvents(started, begun, places));
            begun.get(REACHED_WITHIN.toSeconds(), TimeUnit.SECONDS);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (IllegalConnectorArgumentsException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + main.getSimpleName() + " started", e);
        } catch (ExecutionException | TimeoutException e) {
            throw new AssertionError(main.getSimpleName() + " does not start:\n" + output(), e);
        }
    }

    private Process launch(String debugging) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                debugging,
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules",
                "jdk.incubator.vector",
                "-Xmx512m"));
        command.addAll(jvmOptions);
        command.add(main.getName());
        properties.forEach((name, value) -> command.add("--" + name + "=" + value));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()));
        builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
        return builder.start();
    }

    private VirtualMachine machine() {
        if (machine == null) {
            throw new IllegalStateException(main.getSimpleName() + " does not run");
        }
        return machine;
    }

    /** Whoever reaches this place first is held there, also if its class is not loaded yet. */
    void hold(Place place) {
        List<ReferenceType> loaded = machine().classesByName(place.className());
        if (loaded.isEmpty()) {
            ClassPrepareRequest prepare = machine().eventRequestManager().createClassPrepareRequest();
            prepare.addClassFilter(place.className());
            prepare.putProperty("place", place);
            prepare.enable();
        } else {
            hold(place, loaded.getFirst());
        }
    }

    private void hold(Place place, ReferenceType type) {
        List<Method> methods = type.methodsByName(place.method());
        if (methods.isEmpty()) {
            throw new AssertionError("there is no " + place + " any more; hold the step somewhere else");
        }
        if (place.after()) {
            MethodExitRequest exit = machine().eventRequestManager().createMethodExitRequest();
            exit.addClassFilter(type);
            enable(exit, place);
        } else {
            for (Method method : methods) {
                BreakpointRequest point = machine().eventRequestManager().createBreakpointRequest(method.location());
                enable(point, place);
            }
        }
    }

    private static void enable(EventRequest request, Place place) {
        request.setSuspendPolicy(EventRequest.SUSPEND_EVENT_THREAD);
        request.putProperty("place", place);
        request.enable();
    }

    /** Somebody must take them all the time: a machine whose events nobody takes stops after some thousands. */
    private void takeEvents(VirtualMachine from, CompletableFuture<Void> begun, Place... places) {
        try {
            while (true) {
                EventSet events = from.eventQueue().remove();
                boolean held = false;
                for (Event event : events) {
                    if (event instanceof VMStartEvent) {
                        for (Place place : places) {
                            hold(place);
                        }
                        begun.complete(null);
                    } else if (event instanceof ClassPrepareEvent prepared) {
                        hold(place(event), prepared.referenceType());
                    } else {
                        held |= event instanceof BreakpointEvent
                                || event instanceof MethodExitEvent exit
                                        && exit.method()
                                                .name()
                                                .equals(place(event).method());
                    }
                }
                if (held) {
                    reached.complete(null);
                } else {
                    events.resume();
                }
            }
        } catch (VMDisconnectedException e) {
            reached.completeExceptionally(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException | Error e) {
            begun.completeExceptionally(e);
            reached.completeExceptionally(e);
        }
    }

    /** Waits until a thread is held, and ends the process as a power cut would, while it is. */
    void killAtPlace() throws InterruptedException {
        try {
            reached.get(REACHED_WITHIN.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new AssertionError("nobody came to the place:\n" + output(), e);
        }
        kill();
    }

    private static Place place(Event event) {
        return (Place) event.request().getProperty("place");
    }

    private void kill() throws InterruptedException {
        if (process != null) {
            process.destroyForcibly().waitFor();
        }
        if (machine != null) {
            try {
                machine.dispose();
            } catch (VMDisconnectedException e) {
                // It noticed by itself.
            }
        }
        process = null;
        machine = null;
    }

    /** @throws AssertionError when the process has ended */
    void requireAlive() {
        if (process == null || !process.isAlive()) {
            throw new AssertionError(main.getSimpleName() + " has ended:\n" + output());
        }
    }

    String output() {
        try {
            return Files.readString(output);
        } catch (IOException e) {
            return "(no output: " + e.getMessage() + ")";
        }
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }
}
