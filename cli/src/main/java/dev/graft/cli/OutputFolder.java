package dev.graft.cli;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Keeps a run from writing over the files of another. */
final class OutputFolder {
    private OutputFolder() {}

    /** Refuses {@code folder} when there is anything in it; creates nothing. */
    static void checkFree(Path folder) throws IOException {
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new GraftException(folder + " is a file: give --out a new folder");
        }
        if (Files.isDirectory(folder)) {
            try (Stream<Path> content = Files.list(folder)) {
                if (content.findAny().isPresent()) {
                    boolean run = Files.exists(folder.resolve(RunConfig.FILE));
                    throw new GraftException(folder + " is not empty: give --out a new folder"
                            + (run ? ", or go on with that run by --resume " + folder : ""));
                }
            }
        }
    }

    /** Creates {@code folder} and finds out early whether files can be written there. */
    static void create(Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.delete(Files.createTempFile(folder, ".graft", ".tmp"));
    }
}
