package dev.graft.kernels.load;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A shared library opened by dlopen(3) and never closed. Unlike {@link java.lang.foreign.SymbolLookup} it tells the
 * dynamic linker's own reason of a failure, and once open, a library satisfies every other one that needs its soname.
 */
final class SharedObject {
    private static final int LAZY = 1;
    private static final long LONGEST_MESSAGE = 4096;

    private final MemorySegment handle;

    private SharedObject(MemorySegment handle) {
        this.handle = handle;
    }

    /** The C functions. Linked at first use and not as a class loads: Java may be told to forbid it. */
    @SuppressWarnings("restricted")
    private static final class C {
        private static C linked;

        final Linker linker = Linker.nativeLinker();
        final MethodHandle dlopen = link("dlopen", ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
        final MethodHandle dlsym = link("dlsym", ValueLayout.ADDRESS, ValueLayout.ADDRESS);
        final MethodHandle dlerror = link("dlerror");

        private MethodHandle link(String name, MemoryLayout... arguments) {
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name),
                    FunctionDescriptor.of(ValueLayout.ADDRESS, arguments));
        }

        static synchronized C get() {
            if (linked == null) {
                linked = new C();
            }
            return linked;
        }
    }

    static SharedObject open(Path file) {
        return open(file.toAbsolutePath().toString());
    }

    /**
     * Opens a path, or by its soname whatever the dynamic linker finds.
     *
     * @throws GraftException the dynamic linker's reason
     */
    static SharedObject open(String pathOrName) {
        C c = C.get();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment h = (MemorySegment) c.dlopen.invokeExact(arena.allocateFrom(pathOrName), LAZY);
            if (h.address() == 0) {
                String reason = text((MemorySegment) c.dlerror.invokeExact());
                throw new GraftException(reason.isEmpty() ? pathOrName + " cannot be opened" : reason);
            }
            return new SharedObject(h);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Calls a function that returns an int, or nothing when this version of the library lacks it. Arguments are
     * Integer, Long or MemorySegment. Linked anew at each call: for questions, not for work.
     */
    @SuppressWarnings("restricted")
    OptionalInt call(String name, Object... arguments) {
        MemoryLayout[] types = Arrays.stream(arguments).map(a -> switch (a) {
            case Integer i -> ValueLayout.JAVA_INT;
            case Long l -> ValueLayout.JAVA_LONG;
            default -> ValueLayout.ADDRESS;
        }).toArray(MemoryLayout[]::new);
        C c = C.get();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment function = (MemorySegment) c.dlsym.invokeExact(handle, arena.allocateFrom(name));
            if (function.address() == 0) {
                return OptionalInt.empty();
            }
            FunctionDescriptor type = FunctionDescriptor.of(ValueLayout.JAVA_INT, types);
            return OptionalInt.of((int) c.linker.downcallHandle(function, type).invokeWithArguments(arguments));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** The int that a function writes through its first argument, or nothing when it fails or is not there. */
    OptionalInt number(String name, Object... further) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);      // room for a size_t too
            Object[] arguments = new Object[further.length + 1];
            arguments[0] = out;
            System.arraycopy(further, 0, arguments, 1, further.length);
            return call(name, arguments).orElse(-1) == 0 ? OptionalInt.of(out.get(ValueLayout.JAVA_INT, 0))
                    : OptionalInt.empty();
        }
    }

    /** A C string of the library; empty for null. */
    @SuppressWarnings("restricted")
    static String text(MemorySegment address) {
        return address.address() == 0 ? "" : address.reinterpret(LONGEST_MESSAGE).getString(0);
    }

    /** The file that an open library of this soname was loaded from, as the kernel tells. */
    static Optional<Path> mapped(String soname) {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            String stem = soname.substring(0, soname.indexOf(".so") + 3);
            return lines.filter(l -> l.indexOf('/') >= 0).map(l -> Path.of(l.substring(l.indexOf('/'))))
                    .filter(p -> p.getFileName().toString().startsWith(stem)).findFirst();
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        }
    }
}
