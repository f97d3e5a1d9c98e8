package dev.graft.kernels.load;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.stream.Stream;

/**
 * JCuda's own native libraries, made for CUDA 12.0 and cuDNN 8, fitted to what is installed and loaded by the classes
 * that need them.
 *
 * <p>Every JCuda class loads its library in its static initialiser: it asks the Java library path, and otherwise takes
 * {@code lib<name>.so} from the folder that property {@code java.io.tmpdir} names, which it fills from its jar only if
 * there is no such file. So the fitted file is put under that name into a fresh folder that only this user may enter,
 * and the property points there while the class initialises. The JDK itself reads that property once, when it starts. A
 * class that failed once stays failed, so nothing else may touch these classes before.
 */
final class JCudaNatives implements AutoCloseable {
    private static final String PLATFORM = "-linux-x86_64.so";
    private static final String TEMPORARY = "java.io.tmpdir";

    /** A class of JCuda, the name of its library, the version of that library, and the dependency it was linked with. */
    enum Binding {
        DRIVER(Component.DRIVER, "jcuda.driver.JCudaDriver", "JCudaDriver", "12.6.0", 1),
        CUBLAS(Component.CUBLAS, "jcuda.jcublas.JCublas2", "JCublas2", "12.6.0", 12),
        NVRTC(Component.NVRTC, "jcuda.nvrtc.JNvrtc", "JNvrtc", "12.6.0", 12),
        CUDNN(Component.CUDNN, "jcuda.jcudnn.JCudnn", "JCudnn", "11.7.0", 8);

        final Component component;
        final String className;
        final String libraryName;
        final String shipped;
        final int linkedMajor;

        Binding(Component component, String className, String libraryName, String shipped, int linkedMajor) {
            this.component = component;
            this.className = className;
            this.libraryName = libraryName;
            this.shipped = shipped;
            this.linkedMajor = linkedMajor;
        }

        static Binding of(Component component) {
            return valueOf(component.name());
        }
    }

    private final Path folder;

    JCudaNatives() {
        try {
            folder = Files.createTempDirectory("graft-native-",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException | UnsupportedOperationException e) {
            throw new GraftException("no private folder can be made in " + System.getProperty(TEMPORARY) + " ("
                    + e.getMessage() + "): name another by -Djava.io.tmpdir", e);
        }
    }

    /** Initialises the JCuda class of a library that is open already; throws one sentence when that fails. */
    void bind(Library library) {
        Binding b = Binding.of(library.component());
        String file = "lib" + b.libraryName + "-" + b.shipped + PLATFORM;
        byte[] image = ElfRetarget.retarget(file, resource("lib/" + file),
                Map.of(b.component.soname(b.linkedMajor), b.component.soname(library.major())));
        // All classes ask for the version of jcuda, whatever their own is.
        Path fitted = folder.resolve("lib" + b.libraryName + "-" + Binding.DRIVER.shipped + PLATFORM);
        try {
            Files.write(fitted, image, StandardOpenOption.CREATE_NEW);
        } catch (IOException e) {
            throw new GraftException(fitted + " cannot be written (" + e.getMessage() + ")", e);
        }
        // For the dynamic linker's reason, which JCuda would bury in a page of text.
        SharedObject.open(fitted);
        initialise(b.className);
    }

    private void initialise(String className) {
        String before = System.getProperty(TEMPORARY);
        System.setProperty(TEMPORARY, folder.toString());
        try {
            Class.forName(className, true, JCudaNatives.class.getClassLoader());
        } catch (ClassNotFoundException | LinkageError e) {
            throw new GraftException(className + " does not start (" + firstLine(e) + "): see that jcuda "
                    + Binding.DRIVER.shipped + " is on the class path", e);
        } finally {
            System.setProperty(TEMPORARY, before);
        }
    }

    private static byte[] resource(String name) {
        try (InputStream in = JCudaNatives.class.getClassLoader().getResourceAsStream(name)) {
            if (in == null) {
                throw new GraftException(name + " is not on the class path: add JCuda's jar of natives for linux-x86_64");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new GraftException(name + " cannot be read from its jar (" + e.getMessage() + ")", e);
        }
    }

    private static String firstLine(Throwable e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString()).strip();
    }

    /** Removes the folder; what is loaded stays loaded, as Linux keeps a file that is mapped. */
    @Override
    public void close() {
        try (Stream<Path> files = Files.list(folder)) {
            files.forEach(f -> f.toFile().delete());
        } catch (IOException e) {
            // A leftover of some megabytes in a private folder.
        }
        folder.toFile().delete();
    }
}
