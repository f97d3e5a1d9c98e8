package dev.graft.kernels.load;

import dev.graft.tensor.GraftException;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What {@link NativeLoader} found and loaded.
 *
 * @param driverVersion the newest CUDA that the driver can run, such as 13000 for 13.0, 0 when unknown
 * @param cudaMajor     the CUDA of the libraries, 12 or 13; 0 when none was chosen
 * @param found         the libraries on this machine, also those which then could not be loaded
 * @param missing       why a component cannot be used: a clause that names the cause and the fix
 */
public record LibraryReport(int driverVersion, int cudaMajor, Map<Component, Library> found,
        Map<Component, String> missing) {
    private static final List<Component> NEEDED = List.of(Component.DRIVER, Component.CUBLAS, Component.NVRTC);

    public LibraryReport {
        found = copy(found);
        missing = copy(missing);
    }

    private static <V> Map<Component, V> copy(Map<Component, V> map) {
        EnumMap<Component, V> copy = new EnumMap<>(Component.class);
        copy.putAll(map);
        return Collections.unmodifiableMap(copy);
    }

    /** Whether a component is loaded and may be called. */
    public boolean has(Component component) {
        return !missing.containsKey(component) && !missing.containsKey(Component.DRIVER) && found.containsKey(component);
    }

    /** Throws the reason and the fix when a component cannot be called. */
    public void require(Component component) {
        if (!has(component)) {
            throw new GraftException(component.title() + " cannot be used: "
                    + missing.getOrDefault(component, missing.getOrDefault(Component.DRIVER, "it was not loaded")));
        }
    }

    /** One sentence why no CUDA device can be used and what to do, or null when one can. cuDNN may be missing. */
    public String problem() {
        for (Component c : NEEDED) {
            if (missing.containsKey(c)) {
                return "no CUDA device can be used: " + missing.get(c);
            }
        }
        return null;
    }

    /** One line for a log. */
    String summary() {
        String libraries = found.values().stream().filter(l -> has(l.component())).map(Library::toString)
                .collect(Collectors.joining(", "));
        return "CUDA " + cudaMajor + " with a driver for CUDA " + Versions.cuda(driverVersion) + ": " + libraries
                + missing.values().stream().map(m -> "; " + m).collect(Collectors.joining());
    }
}
