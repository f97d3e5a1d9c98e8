package dev.graft.nn.data;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** A tree of files, in a folder or in a zip file, by paths relative to its root with '/' between the names. */
sealed interface FileSource extends AutoCloseable {
    /** All files but hidden ones, sorted by folder, then by name. */
    List<String> files();

    /** All folders below the root but hidden ones; of a zip those that are written down or have files. */
    TreeSet<String> folders();

    /** What could not be looked at. */
    List<String> problems();

    /** The bytes of a file of at most {@code limit} bytes. */
    byte[] read(String file, long limit);

    /** Changes when the file does. */
    String key(String file);

    /** What messages call the file. */
    String describe(String file);

    @Override
    void close();

    static FileSource open(Path path) {
        if (!Files.exists(path)) {
            throw new GraftException("Image folder " + path.toAbsolutePath().normalize()
                    + " does not exist: check the path.");
        }
        if (Files.isDirectory(path)) {
            return new Folder(path);
        }
        if (!path.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".zip")) {
            throw new GraftException(path.toAbsolutePath().normalize() + " is a file, but a folder (or a .zip file) with one"
                    + " folder of images per class was expected: give the folder.");
        }
        return new Zip(path);
    }

    /** Hidden files, and what macOS adds to zip files. */
    private static boolean isHidden(String name) {
        return name.startsWith(".") || name.equals("__MACOSX");
    }

    private static List<String> sorted(Collection<String> files) {
        List<String> sorted = new ArrayList<>(files);
        sorted.sort(Comparator.comparing((String file) -> file.substring(0, file.lastIndexOf('/') + 1))
                .thenComparing(Comparator.naturalOrder()));
        return Collections.unmodifiableList(sorted);
    }

    private static GraftException tooLarge(String file, long limit) {
        return new GraftException("File " + file + " has more than the allowed " + limit
                + " bytes: remove it, or raise the limit of ImageDecoder.");
    }

    /** A folder on disk; links are followed. */
    final class Folder implements FileSource {
        private final Path root;
        private final List<String> files;
        private final TreeSet<String> folders = new TreeSet<>();
        private final List<String> problems = new ArrayList<>();

        Folder(Path root) {
            this.root = root;
            List<String> found = new ArrayList<>();
            try {
                Files.walkFileTree(root, EnumSet.of(FileVisitOption.FOLLOW_LINKS), Integer.MAX_VALUE,
                        new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                        if (folder.equals(root)) {
                            return FileVisitResult.CONTINUE;
                        }
                        if (isHidden(folder.getFileName().toString())) {
                            return FileVisitResult.SKIP_SUBTREE;
                        }
                        folders.add(relative(folder));
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                        if (!isHidden(file.getFileName().toString()) && attributes.isRegularFile()) {
                            found.add(relative(file));
                        }
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                        if (file.equals(root)) {
                            throw e;
                        }
                        problems.add(file + " cannot be read (" + e.getClass().getSimpleName() + ")");
                        return FileVisitResult.CONTINUE;
                    }
                });
            } catch (IOException e) {
                throw new GraftException("Image folder " + root + " cannot be listed (" + e + "): check its rights.", e);
            }
            files = sorted(found);
        }

        private String relative(Path path) {
            StringBuilder text = new StringBuilder();
            for (Path part : root.relativize(path)) {
                text.append(text.isEmpty() ? "" : "/").append(part);
            }
            return text.toString();
        }

        @Override
        public List<String> files() {
            return files;
        }

        @Override
        public TreeSet<String> folders() {
            return folders;
        }

        @Override
        public List<String> problems() {
            return problems;
        }

        @Override
        public byte[] read(String file, long limit) {
            try {
                if (Files.size(root.resolve(file)) > limit) {
                    throw tooLarge(describe(file), limit);
                }
                return Files.readAllBytes(root.resolve(file));
            } catch (IOException e) {
                throw new GraftException("File " + describe(file) + " cannot be read (" + e
                        + "): was it moved or removed since the folder was opened?", e);
            }
        }

        @Override
        public String key(String file) {
            try {
                BasicFileAttributes attributes = Files.readAttributes(root.resolve(file), BasicFileAttributes.class);
                return file + ":" + attributes.size() + ":" + attributes.lastModifiedTime().toMillis();
            } catch (IOException e) {
                throw new GraftException("File " + describe(file) + " cannot be read (" + e
                        + "): was it moved or removed since the folder was opened?", e);
            }
        }

        @Override
        public String describe(String file) {
            return root.resolve(file).toString();
        }

        @Override
        public void close() {
            // nothing is held open
        }
    }

    /** A zip file, read in place; nothing is extracted, so names in it cannot lead anywhere. */
    final class Zip implements FileSource {
        private final Path path;
        private final ZipFile zip;
        private final TreeMap<String, ZipEntry> entries = new TreeMap<>();
        private final List<String> files;
        private final TreeSet<String> folders = new TreeSet<>();

        Zip(Path path) {
            this.path = path;
            try {
                zip = new ZipFile(path.toFile());
            } catch (IOException e) {
                throw new GraftException("Zip file " + path + " cannot be opened (" + e.getMessage()
                        + "): it is broken or not a zip file; download or pack it again.", e);
            }
            for (var all = zip.entries(); all.hasMoreElements();) {
                ZipEntry entry = all.nextElement();
                String name = entry.getName().replace('\\', '/');
                String[] parts = name.split("/");
                boolean hidden = false;
                for (String part : parts) {
                    hidden |= isHidden(part) || part.isEmpty();
                }
                if (hidden) {
                    continue;
                }
                for (int at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
                    folders.add(name.substring(0, at));
                }
                if (!name.endsWith("/")) {
                    entries.put(name, entry);
                }
            }
            files = sorted(entries.keySet());
        }

        @Override
        public List<String> files() {
            return files;
        }

        @Override
        public TreeSet<String> folders() {
            return folders;
        }

        @Override
        public List<String> problems() {
            return List.of();
        }

        @Override
        public byte[] read(String file, long limit) {
            try (InputStream in = zip.getInputStream(entries.get(file))) {
                // The size an entry claims is not trusted: reading stops at the limit.
                byte[] data = in.readNBytes((int) Math.min(Integer.MAX_VALUE - 16, limit + 1));
                if (data.length > limit) {
                    throw tooLarge(describe(file), limit);
                }
                return data;
            } catch (IOException e) {
                throw new GraftException("Entry " + describe(file) + " cannot be read (" + e.getMessage()
                        + "): the zip file is damaged; download or pack it again.", e);
            } catch (IllegalStateException e) {
                throw new GraftException("Zip file " + path + " is closed: keep the ImageFolder open while its images are"
                        + " used.", e);
            }
        }

        @Override
        public String key(String file) {
            ZipEntry entry = entries.get(file);
            return file + ":" + entry.getSize() + ":" + Long.toHexString(entry.getCrc());
        }

        @Override
        public String describe(String file) {
            return path + "!" + file;
        }

        @Override
        public void close() {
            try {
                zip.close();
            } catch (IOException e) {
                throw new GraftException("Zip file " + path + " cannot be closed (" + e.getMessage() + ").", e);
            }
        }
    }
}
