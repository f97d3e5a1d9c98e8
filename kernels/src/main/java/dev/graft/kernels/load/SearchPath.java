package dev.graft.kernels.load;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The folders where users have NVIDIA's libraries, best first: those of property {@code graft.cuda.path} and variable
 * {@code GRAFT_CUDA_PATH}, of the dynamic linker's variable, of the usual CUDA variables, of the active Python or conda
 * environment, of the Python on the PATH, of the system. An entry may be a folder of libraries, a CUDA toolkit, a Python
 * environment or its site-packages.
 */
final class SearchPath {
    /** Property: folders separated by colons, searched before all others. */
    static final String PROPERTY = "graft.cuda.path";
    /** Property: {@code true} looks nowhere else than there. */
    static final String ONLY = "graft.cuda.path.only";
    /** Environment variable of the same meaning as the property. */
    static final String VARIABLE = "GRAFT_CUDA_PATH";

    private static final List<String> CUDA_VARIABLES = List.of("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDNN_PATH",
            "CUDNN_HOME", "CUDNN_ROOT");
    private static final List<String> SYSTEM_FOLDERS = List.of("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu",
            "/usr/lib64", "/lib64", "/usr/lib", "/usr/local/lib", "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64",
            "/usr/local/nvidia/lib", "/run/opengl-driver/lib", "/opt/cuda");
    private static final int MOST_FOLDERS = 2000;

    private final Map<String, String> environment;
    private final Set<Path> folders = new LinkedHashSet<>();
    private final int named;
    private final boolean only;

    /** {@code property} is the value of {@link #PROPERTY} or null; {@code only}: look at nothing but these folders. */
    SearchPath(String property, boolean only, Map<String, String> environment) {
        this.environment = environment;
        this.only = only;
        addEach(property);
        if (!only) {
            addEach(environment.get(VARIABLE));
        }
        named = folders.size();
        if (!only) {
            addEach(environment.get("LD_LIBRARY_PATH"));
            CUDA_VARIABLES.forEach(v -> addRoot(environment.get(v)));
            addRoot(environment.get("VIRTUAL_ENV"));
            addRoot(environment.get("CONDA_PREFIX"));
            addPythonOfPath();
            addRoot(environment.getOrDefault("HOME", System.getProperty("user.home", "")) + "/.local");
            addSystem();
        }
    }

    static SearchPath ofProcess() {
        return new SearchPath(System.getProperty(PROPERTY), Boolean.getBoolean(ONLY), System.getenv());
    }

    List<Path> folders() {
        return List.copyOf(folders);
    }

    /** The folders that the user named by property or variable. */
    List<Path> named() {
        return folders().subList(0, named);
    }

    /** Whether no folder but those that the user named counts. */
    boolean only() {
        return only;
    }

    private void addPythonOfPath() {
        for (String folder : environment.getOrDefault("PATH", "").split(":")) {
            Path bin = path(folder);
            if (bin != null && bin.getParent() != null && Files.isExecutable(bin.resolve("python3"))) {
                addRoot(bin.getParent());
            }
        }
    }

    private void addSystem() {
        addPython(Path.of("/usr/local"));
        addPython(Path.of("/usr"));
        list(Path.of("/usr/local"), "cuda*").forEach(this::addRoot);
        configuredFolders(Path.of("/etc/ld.so.conf"), 0).forEach(this::add);
        SYSTEM_FOLDERS.forEach(this::addRoot);
    }

    private void addEach(String paths) {
        if (paths != null) {
            Arrays.stream(paths.split(":")).forEach(this::addRoot);
        }
    }

    private void addRoot(String folder) {
        Path root = path(folder);
        if (root != null) {
            addRoot(root);
        }
    }

    /** A folder, what a CUDA toolkit has below it, and what Python packages have. */
    private void addRoot(Path root) {
        add(root);
        for (String below : List.of("lib64", "lib", "targets/x86_64-linux/lib")) {
            add(root.resolve(below));
        }
        addPackages(root);
        addPython(root);
    }

    private void addPython(Path prefix) {
        for (String lib : List.of("lib", "lib64")) {
            for (Path python : list(prefix.resolve(lib), "python3*")) {
                addPackages(python.resolve("site-packages"));
                addPackages(python.resolve("dist-packages"));
            }
        }
    }

    private void addPackages(Path sitePackages) {
        list(sitePackages.resolve("nvidia"), "*").forEach(p -> add(p.resolve("lib")));
    }

    private void add(Path folder) {
        if (folders.size() < MOST_FOLDERS && Files.isDirectory(folder)) {
            folders.add(folder.toAbsolutePath().normalize());
        }
    }

    /** The folders of the dynamic linker's configuration. */
    private static List<Path> configuredFolders(Path file, int depth) {
        List<Path> found = new ArrayList<>();
        try {
            for (String line : Files.readAllLines(file)) {
                String entry = line.strip();
                if (entry.startsWith("include ") && depth < 3) {
                    Path pattern = file.resolveSibling(entry.substring(8).strip());
                    list(pattern.getParent(), pattern.getFileName().toString()).reversed()
                            .forEach(p -> found.addAll(configuredFolders(p, depth + 1)));
                } else if (entry.startsWith("/")) {
                    found.add(Path.of(entry));
                }
            }
        } catch (IOException | RuntimeException e) {
            return found;                       // no such file: a system that has its libraries in the usual places
        }
        return found;
    }

    /** What matches in a folder, the highest name first: cuda-13.0 before cuda-12.6 before cuda. */
    private static List<Path> list(Path folder, String pattern) {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, pattern)) {
                entries.forEach(found::add);
            } catch (IOException | RuntimeException e) {
                return List.of();               // a folder that may not be read has nothing for us
            }
        }
        found.sort(Comparator.comparing(Path::toString).reversed());
        return found;
    }

    /** An absolute path, or null for nothing: an empty entry means no folder here, least of all the current one. */
    private static Path path(String folder) {
        try {
            return folder == null || folder.isBlank() ? null : Path.of(folder).toAbsolutePath().normalize();
        } catch (InvalidPathException e) {
            return null;
        }
    }
}
