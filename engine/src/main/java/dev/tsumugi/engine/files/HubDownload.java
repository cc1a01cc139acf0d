package dev.tsumugi.engine.files;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URLEncoder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * Fetches the files of one model from the hub into {@code folder/owner--name/COMMIT}. What is there already stays; what was cut off goes on
 * where it stopped. A commit that has been fetched whole is used without the hub when the hub cannot be reached.
 */
final class HubDownload {
    private static final Logger log = LoggerFactory.getLogger(HubDownload.class);
    private static final int MAX_LISTING_BYTES = 16 << 20;
    private static final int MAX_ATTEMPTS = 5;
    /** Nothing that the hub says may name a path outside of the folder. */
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{7,64}");

    private static final Pattern FILE_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,200}");
    private static final List<String> SMALL_FILES = List.of(
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "tokenizer.model",
            "chat_template.jinja",
            SafetensorsModelFiles.INDEX);
    private static final Pattern WEIGHTS = Pattern.compile("model(-\\d{5}-of-\\d{5})?\\.safetensors");
    /** A file lock is held by the process; this keeps the threads of one apart. */
    private static final ReentrantLock IN_THIS_PROCESS = new ReentrantLock();

    private final HubClient client;
    private final Path folder;
    private final ModelStore.DownloadListener listener;

    HubDownload(HubClient client, Path folder, ModelStore.DownloadListener listener) {
        this.client = client;
        this.folder = folder;
        this.listener = listener;
    }

    /** The commit that a revision stands for, and its files. */
    private record Listing(String commit, List<HubFile> files) {}

    /** @return the folder of the model, or its one GGUF file */
    Path fetch(HubReference reference) {
        Path repository = folder.resolve(reference.owner() + "--" + reference.name());
        IN_THIS_PROCESS.lock();
        try {
            Files.createDirectories(repository);
            try (FileChannel channel = FileChannel.open(
                            repository.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock ignored = channel.lock()) {
                return fetchAlone(reference, repository);
            }
        } catch (IOException e) {
            throw new ModelFileException(
                    repository, "cannot be written: " + e, "Check permissions and disk space, or set TSUMUGI_CACHE", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ModelFileException(
                    repository, "the download was interrupted", "Start it again: it goes on where it stopped", e);
        } finally {
            IN_THIS_PROCESS.unlock();
        }
    }

    private Path fetchAlone(HubReference reference, Path repository) throws IOException, InterruptedException {
        // Which commit was fetched whole for this reference; written last.
        Path complete = repository.resolve(
                ".complete-" + reference.revision() + (reference.file() == null ? "" : "-" + reference.file()));
        Listing listing;
        try {
            listing = list(reference, repository);
        } catch (IOException e) {
            Optional<Path> earlier = earlier(complete, repository);
            if (earlier.isPresent()) {
                log.warn("The hub at {} cannot be reached ({}); using {} fetched before", client.hub(), e, reference);
                return earlier.get();
            }
            throw new ModelFileException(
                    repository,
                    "the hub at " + client.hub() + " cannot be reached: " + e,
                    "Check the network, or fetch the model elsewhere and name its folder",
                    e);
        }
        List<HubFile> wanted = choose(reference, listing.files(), repository);
        Path target = repository.resolve(listing.commit());
        Files.createDirectories(target);
        requireSpace(target, wanted);
        for (HubFile file : wanted) {
            fetchFile(reference, listing.commit(), file, target);
        }
        boolean single = wanted.size() == 1 && wanted.getFirst().name().endsWith(".gguf");
        Path model = single ? target.resolve(wanted.getFirst().name()) : target;
        Files.writeString(complete, repository.relativize(model).toString());
        return model;
    }

    private static Optional<Path> earlier(Path complete, Path repository) throws IOException {
        if (!Files.isRegularFile(complete)) {
            return Optional.empty();
        }
        Path model = repository.resolve(Files.readString(complete)).normalize();
        return model.startsWith(repository) && Files.exists(model) ? Optional.of(model) : Optional.empty();
    }

    private Listing list(HubReference reference, Path repository) throws IOException, InterruptedException {
        String path =
                "/api/models/" + reference.repository() + "/revision/" + encode(reference.revision()) + "?blobs=true";
        byte[] json;
        try (HubClient.Answer answer = client.get(path, 0)) {
            requireFound(answer, reference, repository);
            json = answer.body().readNBytes(MAX_LISTING_BYTES + 1);
        }
        if (json.length > MAX_LISTING_BYTES) {
            throw new ModelFileException(repository, "the hub's list of files is too long", "Fetch the model by hand");
        }
        JsonNode node = ModelJson.object(repository, json);
        String commit = node.path("sha").asString("");
        if (!COMMIT.matcher(commit).matches()) {
            throw new ModelFileException(repository, "the hub names no commit", "Check HF_ENDPOINT");
        }
        List<HubFile> files = new ArrayList<>();
        for (JsonNode sibling : node.path("siblings")) {
            String name = sibling.path("rfilename").asString("");
            // Files in subfolders and with unusual names are no part of a model that we read.
            if (FILE_NAME.matcher(name).matches()) {
                JsonNode large = sibling.path("lfs");
                long size = (large.has("size") ? large : sibling).path("size").asLong(-1);
                files.add(new HubFile(name, size, large.path("sha256").asString("")));
            }
        }
        return new Listing(commit, files);
    }

    private void requireFound(HubClient.Answer answer, HubReference reference, Path repository) throws IOException {
        switch (answer.status()) {
            case 200, 206 -> {}
            case 401, 403 ->
                throw new ModelFileException(
                        repository,
                        "the hub refuses " + reference + " (status " + answer.status()
                                + "): it does not exist, or asks for consent",
                        "Check the name, accept the model's terms on the hub, and set HF_TOKEN");
            case 404 ->
                throw new ModelFileException(
                        repository,
                        "the hub at " + client.hub() + " has no " + reference,
                        "Check the name and revision");
            default -> throw new IOException("the hub answers with status " + answer.status());
        }
    }

    private static List<HubFile> choose(HubReference reference, List<HubFile> files, Path repository) {
        @Nullable String named = reference.file();
        List<HubFile> ggufs =
                files.stream().filter(f -> f.name().endsWith(".gguf")).toList();
        if (named != null) {
            return ggufs.stream()
                    .filter(f -> f.name().equals(named))
                    .findFirst()
                    .map(List::of)
                    .orElseThrow(() -> new ModelFileException(
                            repository,
                            "there is no file " + named + " in " + reference.repository(),
                            oneOf(reference, ggufs)));
        }
        List<HubFile> weights =
                files.stream().filter(f -> WEIGHTS.matcher(f.name()).matches()).toList();
        if (!weights.isEmpty()) {
            List<HubFile> all = new ArrayList<>(
                    files.stream().filter(f -> SMALL_FILES.contains(f.name())).toList());
            // A repository may have the whole model in one file beside the shards; the shards then are the ones the
            // index names.
            boolean sharded = all.stream().anyMatch(f -> f.name().equals(SafetensorsModelFiles.INDEX));
            weights.stream()
                    .filter(f -> sharded != f.name().equals(SafetensorsModelFiles.SINGLE))
                    .forEach(all::add);
            return all;
        }
        if (ggufs.size() == 1) {
            return ggufs;
        }
        throw new ModelFileException(
                repository,
                ggufs.isEmpty()
                        ? reference + " has neither safetensors nor GGUF files"
                        : reference + " has " + ggufs.size() + " GGUF files",
                ggufs.isEmpty() ? "Choose another repository of the model" : oneOf(reference, ggufs));
    }

    private static String oneOf(HubReference reference, List<HubFile> ggufs) {
        return "Name one, as " + reference.repository() + ":FILE, of "
                + String.join(", ", ggufs.stream().map(HubFile::name).limit(40).toList());
    }

    private static void requireSpace(Path target, List<HubFile> files) throws IOException {
        long missing = 0;
        for (HubFile file : files) {
            if (!Files.exists(target.resolve(file.name()))) {
                missing += Math.max(0, file.size());
            }
        }
        long free = Files.getFileStore(target).getUsableSpace();
        if (missing > free) {
            throw new ModelFileException(
                    target,
                    "the model takes " + (missing >> 20) + " MiB, but the disk has only " + (free >> 20) + " MiB free",
                    "Make room, or set TSUMUGI_CACHE to another disk");
        }
    }

    private void fetchFile(HubReference reference, String commit, HubFile file, Path target)
            throws IOException, InterruptedException {
        Path whole = target.resolve(file.name());
        if (Files.exists(whole)) {
            return;
        }
        Path part = target.resolve(file.name() + ".part");
        String path = "/" + reference.repository() + "/resolve/" + commit + "/" + encode(file.name());
        for (int attempt = 1; ; attempt++) {
            try {
                receive(path, reference, file, part);
                break;
            } catch (IOException e) {
                if (attempt == MAX_ATTEMPTS) {
                    throw new ModelFileException(
                            part,
                            "the download broke off " + MAX_ATTEMPTS + " times, last: " + e,
                            "Start it again: it goes on where it stopped",
                            e);
                }
                log.info("Download of {} broke off ({}); trying again", file.name(), e.toString());
                Thread.sleep(client.pause().multipliedBy(1L << (attempt - 1)));
            }
        }
        file.verify(part);
        Files.move(part, whole, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Appends to {@code part} until the file is whole. */
    private void receive(String path, HubReference reference, HubFile file, Path part)
            throws IOException, InterruptedException {
        long have = Files.exists(part) ? Files.size(part) : 0;
        if (file.size() >= 0 && have >= file.size() && have > 0) {
            return;
        }
        try (HubClient.Answer answer = client.get(path, have)) {
            if (answer.status() == 416) {
                // What is here is longer than the file there: begin anew.
                Files.delete(part);
                throw new IOException("nothing left to resume");
            }
            requireFound(answer, reference, part);
            boolean resumed = answer.status() == 206
                    && answer.header("content-range").orElse("").startsWith("bytes " + have + "-");
            if (answer.status() == 206 && !resumed) {
                throw new IOException("another range than asked for");
            }
            long done = resumed ? have : 0;
            StandardOpenOption mode = resumed ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING;
            try (OutputStream out =
                    Files.newOutputStream(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE, mode)) {
                done = copy(answer.body(), out, file, done, part);
            }
            if (file.size() >= 0 && done < file.size()) {
                throw new IOException("got " + done + " of " + file.size() + " bytes");
            }
        }
    }

    private long copy(InputStream in, OutputStream out, HubFile file, long start, Path part) throws IOException {
        byte[] buffer = new byte[1 << 16];
        long done = start;
        long told = System.nanoTime();
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            done += n;
            if (file.size() >= 0 && done > file.size()) {
                throw new ModelFileException(
                        part,
                        "the hub sends more than the " + file.size() + " bytes it announced",
                        "Check HF_ENDPOINT");
            }
            out.write(buffer, 0, n);
            if (System.nanoTime() - told > 200_000_000L) {
                told = System.nanoTime();
                listener.progressed(file.name(), done, file.size());
            }
        }
        listener.progressed(file.name(), done, file.size());
        return done;
    }

    private static String encode(String segment) {
        return URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
