package dev.graft.cli;

import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backends;
import java.io.PrintWriter;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The option with which commands choose where to compute. */
final class Devices {
    /** Exit code when the wanted device is not there. */
    static final int NOT_THERE = 3;

    @Option(names = "--device", paramLabel = "cpu|auto|cuda|cuda:N", description = "Where to compute.", defaultValue = "cpu",
            showDefaultValue = Visibility.ALWAYS, converter = Wanted.Converter.class)
    private Wanted wanted;

    /** What the option says; {@code device} is null for auto. */
    private record Wanted(Device device) {
        static final class Converter implements ITypeConverter<Wanted> {
            @Override
            public Wanted convert(String text) {
                try {
                    return new Wanted(text.equalsIgnoreCase("auto") ? null : Device.parse(text));
                } catch (GraftException e) {
                    throw new TypeConversionException("use cpu, auto, cuda or cuda:N, not '" + text + "'");
                }
            }
        }
    }

    /** The wanted device is not there. */
    static final class NotThere extends GraftException {
        private static final long serialVersionUID = 1L;

        NotThere(String message) {
            super(message);
        }
    }

    /** The device to use; says on {@code out} which, unless it is the CPU by choice. */
    Device choose(PrintWriter out) {
        Device d = wanted.device() == null ? Device.cuda() : wanted.device();
        if (d.kind() == Device.Kind.CPU) {
            return d;
        }
        String problem = problem(d);
        if (problem == null) {
            out.println("Device: " + d + ", " + Backends.of(d).name());
            return d;
        }
        if (wanted.device() != null) {
            throw new NotThere(problem + "; 'graft doctor' tells more, and --device cpu works everywhere");
        }
        out.println("Device: cpu (" + problem + ")");
        return Device.CPU;
    }

    /** Why {@code d} cannot be used, or null when it can. */
    private static String problem(Device d) {
        try {
            Backends.of(d);
            return null;
        } catch (GraftException | LinkageError e) {
            return e.getMessage();
        }
    }
}
