package dev.graft.tensor;

import java.util.Locale;

/** Where a tensor lives and its ops run: the CPU, or one CUDA device by its index. */
public record Device(Kind kind, int index) {
    public static final Device CPU = new Device(Kind.CPU, 0);

    /** The kinds of device that a backend can serve. */
    public enum Kind { CPU, CUDA }

    public static Device cpu() {
        return CPU;
    }

    public static Device cuda() {
        return cuda(0);
    }

    public static Device cuda(int index) {
        return new Device(Kind.CUDA, index);
    }

    /** Reads {@code cpu}, {@code cuda} or {@code cuda:1}. */
    public static Device parse(String text) {
        String t = text.toLowerCase(Locale.ROOT);
        if (t.equals("cpu")) {
            return CPU;
        }
        if (t.equals("cuda")) {
            return cuda();
        }
        if (t.matches("cuda:\\d{1,3}")) {
            return cuda(Integer.parseInt(t.substring(5)));
        }
        throw new GraftException("device '" + text + "' is not known: use cpu, cuda or cuda:INDEX");
    }

    /** By hand, and {@code hashCode} too: the JVM spins classes for a record's at their first use, 10 ms of a start. */
    @Override
    public boolean equals(Object o) {
        return o instanceof Device d && d.kind == kind && d.index == index;
    }

    @Override
    public int hashCode() {
        return 31 * kind.ordinal() + index;
    }

    @Override
    public String toString() {
        return kind == Kind.CPU ? "cpu" : "cuda:" + index;
    }
}
