package dev.tsumugi.engine.train;

import dev.tsumugi.engine.train.TrainingRefusedException.Reason;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UTFDataFormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a run needs to go on as if it had never stopped, in one file that is replaced as a whole: whatever ends the program, the file is
 * the last complete one.
 */
final class Checkpoint {
    static final String FILE = "checkpoint.bin";
    private static final String FORMAT = "tsumugi-checkpoint-1";

    private final Path file;
    private final String fingerprint;

    /** @param fingerprint of model, settings and data: a checkpoint with another one is refused */
    Checkpoint(Path folder, String fingerprint) {
        file = folder.resolve(FILE);
        this.fingerprint = fingerprint;
    }

    boolean isThere() {
        return Files.exists(file);
    }

    void save(Progress progress, LoraParameters parameters, Optimizer optimizer) throws IOException {
        Path next = file.resolveSibling(FILE + ".next");
        try (FileOutputStream stream = new FileOutputStream(next.toFile())) {
            CheckedOutputStream checked =
                    new CheckedOutputStream(new BufferedOutputStream(stream, 1 << 16), new CRC32());
            DataOutputStream out = new DataOutputStream(checked);
            out.writeUTF(FORMAT);
            out.writeUTF(fingerprint);
            progress.save(out);
            Numbers.write(out, parameters.read());
            optimizer.save(out);
            out.writeLong(checked.getChecksum().getValue());
            out.flush();
            stream.getFD().sync();
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** @throws TrainingRefusedException when it is another run's, or unsound */
    Progress load(LoraParameters parameters, Optimizer optimizer) throws IOException {
        try (CheckedInputStream checked =
                new CheckedInputStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16), new CRC32())) {
            DataInputStream in = new DataInputStream(checked);
            if (!in.readUTF().equals(FORMAT)) {
                throw unsound(null);
            }
            if (!in.readUTF().equals(fingerprint)) {
                throw new TrainingRefusedException(
                        Reason.CHECKPOINT,
                        file + " is of a run with another model, other settings or other data; use another folder, or"
                                + " delete it to begin anew");
            }
            Progress progress = Progress.load(in);
            float[] values = parameters.read();
            Numbers.read(in, values);
            parameters.write(values);
            optimizer.load(in);
            long sum = checked.getChecksum().getValue();
            if (in.readLong() != sum) {
                throw unsound(null);
            }
            return progress;
        } catch (EOFException | UTFDataFormatException e) {
            throw unsound(e);
        }
    }

    private TrainingRefusedException unsound(@Nullable Exception cause) {
        String message = file + " is damaged; delete it to begin anew";
        return cause == null
                ? new TrainingRefusedException(Reason.CHECKPOINT, message)
                : new TrainingRefusedException(Reason.CHECKPOINT, message, cause);
    }
}
