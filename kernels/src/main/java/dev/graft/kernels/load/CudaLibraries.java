package dev.graft.kernels.load;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * Finds cuBLAS, NVRTC and cuDNN, all for one major version of CUDA. Files are looked at, nothing is loaded.
 *
 * <p>cuDNN 9 exists for CUDA 12 and for CUDA 13 under one name; the cuBLAS that its parts need tells which it is.
 */
final class CudaLibraries {
    /** Property: the major version of CUDA to use, 12 or 13, instead of the choice made here. */
    static final String MAJOR = "graft.cuda.major";

    /** What JCuda's libraries can be fitted to, best first. */
    static final List<Integer> CUDA_MAJORS = List.of(13, 12);
    private static final List<Integer> CUDNN_MAJORS = List.of(9, 8);
    private static final List<Component> NEEDED = List.of(Component.CUBLAS, Component.NVRTC);
    private static final List<Component> LIBRARIES = List.of(Component.CUBLAS, Component.NVRTC, Component.CUDNN);

    /** The libraries to use and, for those that are missing, why: a clause that ends with what to do. */
    record Choice(int cudaMajor, Map<Component, Library> found, Map<Component, String> missing) {}

    /** A file of cuDNN and the CUDA it was built for, when that can be told. */
    private record Cudnn(Library library, OptionalInt cudaMajor) {
        boolean fits(int major) {
            return cudaMajor.isEmpty() || cudaMajor.getAsInt() == major;
        }
    }

    private final SearchPath path;
    private final Map<String, String> refused = new LinkedHashMap<>();

    CudaLibraries(SearchPath path) {
        this.path = path;
    }

    SearchPath path() {
        return path;
    }

    /** Every file of that name that is a shared library for this processor, best folder first. */
    List<Path> files(String soname) {
        List<Path> files = new ArrayList<>();
        for (Path folder : path.folders()) {
            Path file = folder.resolve(soname);
            if (Files.isRegularFile(file) && sound(file)) {
                files.add(file);
            }
        }
        return files;
    }

    /** Why a file of that name was passed over, or null. */
    String refused(String soname) {
        return refused.get(soname);
    }

    private boolean sound(Path file) {
        try {
            ElfDynamic.needed(file);
            return true;
        } catch (GraftException e) {
            refused.putIfAbsent(file.getFileName().toString(), e.getMessage());
        } catch (IOException e) {
            refused.putIfAbsent(file.getFileName().toString(), file + " cannot be read (" + e.getMessage() + ")");
        }
        return false;
    }

    /**
     * Chooses by, in this order: whether cuBLAS and NVRTC are both there, the most libraries from the folders that the
     * user named, the most libraries, the newest CUDA.
     *
     * @param driverVersion what cuDriverGetVersion says, such as 12040, or 0 when it is not known
     * @param major         the value of {@link #MAJOR} or null
     */
    Choice choose(int driverVersion, String major) {
        List<Integer> majors = CUDA_MAJORS;
        if (major != null) {
            majors = CUDA_MAJORS.stream().filter(m -> major.equals(m.toString())).toList();
            if (majors.isEmpty()) {
                return nothing("property " + MAJOR + " is '" + major + "': use 12 or 13");
            }
        }
        List<Cudnn> cudnns = cudnns();
        Map<Integer, Map<Component, Library>> sets = new LinkedHashMap<>();
        majors.forEach(m -> sets.put(m, set(m, cudnns)));
        List<Integer> runnable = majors.stream().filter(m -> driverVersion == 0 || m <= driverVersion / 1000).toList();
        int best = runnable.stream().max(Comparator.comparing((Integer m) -> sets.get(m).keySet().containsAll(NEEDED))
                .thenComparingInt(m -> fromNamedFolders(sets.get(m))).thenComparingInt(m -> sets.get(m).size())
                .thenComparingInt(m -> m)).orElse(0);
        Map<Component, Library> found = best == 0 ? Map.of() : sets.get(best);
        Map<Component, String> missing = new EnumMap<>(Component.class);
        for (Component c : LIBRARIES) {
            if (!found.containsKey(c)) {
                missing.put(c, reason(c, best, driverVersion, sets, cudnns));
            }
        }
        return new Choice(best, found, missing);
    }

    private static Choice nothing(String why) {
        Map<Component, String> missing = new EnumMap<>(Component.class);
        LIBRARIES.forEach(c -> missing.put(c, why));
        return new Choice(0, Map.of(), missing);
    }

    private Map<Component, Library> set(int major, List<Cudnn> cudnns) {
        Map<Component, Library> set = new EnumMap<>(Component.class);
        for (Component c : NEEDED) {
            files(c.soname(major)).stream().findFirst().ifPresent(f -> set.put(c, new Library(c, major, f)));
        }
        cudnns.stream().filter(c -> c.fits(major)).findFirst().ifPresent(c -> set.put(Component.CUDNN, c.library));
        return set;
    }

    private int fromNamedFolders(Map<Component, Library> set) {
        return (int) set.values().stream().filter(l -> path.named().contains(l.path().getParent())).count();
    }

    private List<Cudnn> cudnns() {
        List<Cudnn> all = new ArrayList<>();
        for (int major : CUDNN_MAJORS) {
            for (Path file : files(Component.CUDNN.soname(major))) {
                all.add(new Cudnn(new Library(Component.CUDNN, major, file), cudaOf(file, major)));
            }
        }
        return all;
    }

    /** The CUDA that a cuDNN was built for: the major version of the cuBLAS that it or one of its parts needs. */
    static OptionalInt cudaOf(Path cudnn, int major) {
        List<String> parts = major == 8 ? List.of("libcudnn_ops_infer", "libcudnn_cnn_infer", "libcudnn_adv_infer")
                : List.of("libcudnn_ops", "libcudnn_engines_precompiled", "libcudnn_cnn", "libcudnn_adv");
        List<Path> files = new ArrayList<>(List.of(cudnn));
        parts.forEach(p -> files.add(cudnn.resolveSibling(p + ".so." + major)));
        for (Path file : files) {
            OptionalInt cuda = cudaNeeded(file);
            if (cuda.isPresent()) {
                return cuda;
            }
        }
        return major == 8 ? OptionalInt.of(12) : OptionalInt.empty();       // cuDNN 8 was never made for CUDA 13
    }

    private static OptionalInt cudaNeeded(Path file) {
        try {
            return !Files.isRegularFile(file) ? OptionalInt.empty() : ElfDynamic.needed(file).stream()
                    .filter(n -> n.matches("lib(cublasLt|cublas)\\.so\\.\\d{1,3}"))
                    .flatMapToInt(n -> IntStream.of(Integer.parseInt(n.substring(n.lastIndexOf('.') + 1)))).findFirst();
        } catch (IOException | GraftException e) {
            return OptionalInt.empty();                 // no opinion: loading it will say what is wrong
        }
    }

    /** Why {@code c} is missing for {@code chosen}, 0 when the driver allows none. */
    private String reason(Component c, int chosen, int driverVersion, Map<Integer, Map<Component, Library>> sets,
            List<Cudnn> cudnns) {
        for (int major : sets.keySet()) {
            Library there = sets.get(major).get(c);
            if (there != null) {
                return driverVersion != 0 && major > driverVersion / 1000 ? tooNew(there, major, driverVersion)
                        : mixed(there, major, chosen);
            }
        }
        int wanted = chosen == 0 ? CUDA_MAJORS.getFirst() : chosen;
        if (c == Component.CUDNN && !cudnns.isEmpty()) {
            return mixed(cudnns.getFirst().library, cudnns.getFirst().cudaMajor.orElseThrow(), wanted);
        }
        String file = c.soname(c == Component.CUDNN ? CUDNN_MAJORS.getFirst() : wanted);
        return (refused.containsKey(file) ? refused.get(file) : c.title() + " for CUDA " + wanted + " (" + file
                + ") is in none of the " + path.folders().size() + " folders searched") + ": " + c.remedy(wanted);
    }

    private static String tooNew(Library there, int major, int driverVersion) {
        int runs = driverVersion / 1000;
        return there.component().title() + " was found for CUDA " + major + " only (" + there.path()
                + "), and the driver supports CUDA " + Versions.cuda(driverVersion) + " at most: update NVIDIA's driver to "
                + driverFor(major) + (CUDA_MAJORS.contains(runs) ? ", or " + there.component().remedy(runs) : "");
    }

    private static String mixed(Library there, int its, int wanted) {
        return there.component().title() + " in " + there.path() + " is for CUDA " + its
                + " and the other libraries are for CUDA " + wanted
                + ", and the two do not work together: " + there.component().remedy(wanted);
    }

    /** The first Linux driver of a major version of CUDA. */
    static String driverFor(int cudaMajor) {
        return (cudaMajor >= 13 ? "580" : "525") + " or newer";
    }
}
