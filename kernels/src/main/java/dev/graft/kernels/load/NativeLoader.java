package dev.graft.kernels.load;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Loads the driver, cuBLAS, NVRTC and cuDNN, then JCuda's classes for them. Properties: {@code graft.cuda.path}
 * (folders that are searched first, for the driver too), {@code graft.cuda.path.only=true} (and no others), {@code
 * graft.cuda.major} (12 or 13). What was chosen is logged once, at DEBUG: a command line that talks of it says it in
 * its own words.
 */
public final class NativeLoader {
    private static final System.Logger LOG = System.getLogger(NativeLoader.class.getName());
    private static LibraryReport report;

    private final Map<Component, Library> found = new EnumMap<>(Component.class);
    private final Map<Component, String> missing = new EnumMap<>(Component.class);
    private CudaLibraries libraries;
    private int driverVersion;
    private int cudaMajor;

    private NativeLoader() {}

    /** Loads what is there at the first call, and gives the same report at every later one; never throws. */
    public static synchronized LibraryReport load() {
        if (report == null) {
            report = new NativeLoader().run();
            LOG.log(Level.DEBUG, () -> report.problem() != null ? report.problem() : report.summary());
        }
        return report;
    }

    private LibraryReport run() {
        try {
            String platform = System.getProperty("os.name") + " " + System.getProperty("os.arch");
            if (!platform.equals("Linux amd64")) {
                missing.put(Component.DRIVER, "this is " + platform + " and CUDA is used on Linux x86-64 only: use the CPU");
            } else {
                libraries = new CudaLibraries(SearchPath.ofProcess());
                find();
            }
        } catch (GraftException e) {
            missing.put(Component.DRIVER, e.getMessage());
        } catch (IllegalCallerException e) {
            missing.put(Component.DRIVER, "this Java may not call native code: start it with"
                    + " --enable-native-access=ALL-UNNAMED");
        } catch (RuntimeException | LinkageError e) {
            missing.put(Component.DRIVER, "loading CUDA's libraries failed (" + e + "): please report it");
        }
        return new LibraryReport(driverVersion, cudaMajor, found, missing);
    }

    private void find() {
        SharedObject driver = openDriver();
        String problem;
        if (driver == null) {
            String broken = libraries.refused(Component.DRIVER.soname(1));
            problem = broken != null ? broken + ": " + Component.DRIVER.remedy(0)
                    : "libcuda.so.1 was not found, so there is no NVIDIA driver: install it ("
                    + CudaLibraries.driverFor(13) + " for CUDA 13), or start a container with --gpus all";
        } else {
            DriverProbe probe = DriverProbe.of(driver);
            driverVersion = probe.version();
            problem = probe.problem();
        }
        CudaLibraries.Choice choice = libraries.choose(driverVersion, System.getProperty(CudaLibraries.MAJOR));
        cudaMajor = choice.cudaMajor();
        found.putAll(choice.found());
        missing.putAll(choice.missing());
        if (problem != null) {
            missing.put(Component.DRIVER, problem);
        } else {
            loadAll();
        }
    }

    /**
     * The driver of the folders that the user named, else what the dynamic linker finds, else that of all other folders.
     */
    private SharedObject openDriver() {
        String soname = Component.DRIVER.soname(1);
        List<Path> files = libraries.files(soname);
        List<Path> named = libraries.path().named();
        Optional<Path> first = files.stream().filter(f -> named.contains(f.getParent())).findFirst();
        if (first.isPresent()) {
            return openDriver(first.get());
        }
        if (!libraries.path().only()) {
            try {
                SharedObject driver = SharedObject.open(soname);
                Path file = SharedObject.mapped(soname).orElse(Path.of(soname));
                found.put(Component.DRIVER, new Library(Component.DRIVER, 1, file));
                return driver;
            } catch (GraftException e) {
                LOG.log(Level.DEBUG, e.getMessage());
            }
        }
        return files.isEmpty() ? null : openDriver(files.getFirst());
    }

    private SharedObject openDriver(Path file) {
        SharedObject driver = SharedObject.open(file);
        found.put(Component.DRIVER, new Library(Component.DRIVER, 1, file));
        return driver;
    }

    private void loadAll() {
        try (JCudaNatives natives = new JCudaNatives()) {
            for (Library library : found.values()) {                    // in the order of Component: the driver first
                try {
                    open(library);
                    natives.bind(library);
                } catch (GraftException e) {
                    missing.put(library.component(), library.path() + " cannot be loaded (" + e.getMessage() + "): "
                            + fix(library.component(), e.getMessage()));
                    if (library.component() == Component.DRIVER) {
                        return;
                    }
                }
            }
        }
    }

    private String fix(Component c, String reason) {
        if (reason.contains("undefined symbol") && System.getenv("LD_BIND_NOW") != null) {
            return "unset LD_BIND_NOW, with which the dynamic linker wants functions that are never called";
        }
        if (reason.contains("failed to map segment")) {
            return "name a folder for temporary files from which code may run by -Djava.io.tmpdir";
        }
        return c.remedy(cudaMajor);
    }

    /** Opens a library after those that it looks for by name only. */
    private void open(Library library) {
        switch (library.component()) {
            case CUBLAS -> openLt(library);
            // NVRTC asks for its builtins by their bare name, which no folder of a Python package is searched for.
            case NVRTC -> beside(library.path(), "libnvrtc-builtins.so." + library.major() + "*")
                    .forEach(SharedObject::open);
            // A part of cuDNN that does not load ends the process at the first call; here it gives a reason.
            case CUDNN -> beside(library.path(), "libcudnn_{graph,ops,ops_infer}.so."
                    + library.major()).forEach(SharedObject::open);
            case DRIVER -> { }
        }
        SharedObject.open(library.path());
    }

    private void openLt(Library cublas) {
        String soname = "libcublasLt.so." + cublas.major();
        List<Path> files = new ArrayList<>(beside(cublas.path(), soname));
        files.addAll(libraries.files(soname));
        if (!files.isEmpty()) {
            SharedObject.open(files.getFirst());
        }
    }

    private static List<Path> beside(Path library, String pattern) {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(library.getParent(), pattern)) {
            all.forEach(f -> {
                if (Files.isRegularFile(f)) {
                    files.add(f);
                }
            });
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "{0} cannot be listed: {1}", library.getParent(), e.getMessage());
        }
        files.sort(null);
        return files;
    }
}
