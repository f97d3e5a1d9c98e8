package dev.graft.tensor;

import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** How a backend's result for a case of the catalogue is judged: against the reference in float64. */
public final class CatalogComparison {
    private static final ReferenceBackend REFERENCE = new ReferenceBackend();
    /** Results below this are compared as if they were this large: inputs are of the order of 1. */
    private static final double SMALL = 0.03;
    private static final Map<String, Tensor[]> EXPECTED = new HashMap<>();

    private CatalogComparison() {}

    /** The element types in which a case is tried. */
    public static List<DType> types(OpCatalog.Case c) {
        return !c.anyFloat() || c.large() || c.special() ? List.of(DType.F32)
                : List.of(DType.F32, DType.F64, DType.F16, DType.BF16);
    }

    /** The op as it runs on {@code device}: ops without inputs name theirs. */
    public static Op on(Device device, Op op) {
        return switch (op) {
            case CreateOp.Fill f -> new CreateOp.Fill(f.spec(), f.value(), device);
            case CreateOp.Arange a -> new CreateOp.Arange(a.spec(), a.start(), a.step(), device);
            case CreateOp.Random r ->
                    new CreateOp.Random(r.spec(), r.distribution(), r.a(), r.b(), r.seed(), r.stream(), device);
            default -> op;
        };
    }

    private static Tensor[] run(OpCatalog.Case c, Tensor[] in) {
        return Context.inference().withCpu(REFERENCE).call(() -> Dispatcher.run(c.op(), in));
    }

    /** Runs a case on {@code device}, also from inputs that begin inside their memory, and adds what is wrong. */
    public static void compare(Device device, OpCatalog.Case given, DType type, long seed, List<String> differences) {
        OpCatalog.Case c = forDevice(given);
        Tensor[] in = OpCatalog.inputs(c, type, seed);
        Tensor[] want = expected(c, type, seed, in);
        Tensor[] got = onDevice(device, c, in, false);
        if (got.length != want.length) {
            differences.add(c + " in " + type + ": " + got.length + " outputs instead of " + want.length);
            return;
        }
        for (int i = 0; i < got.length; i++) {
            String difference = difference(c, type, got[i], want[i]);
            if (difference != null) {
                differences.add(c + " output " + i + " in " + type + ": " + difference);
            }
        }
        Tensor[] shifted = onDevice(device, c, in, true);
        for (int i = 0; i < got.length; i++) {
            String difference = difference(c, type, shifted[i], want[i]);
            if (difference != null) {
                differences.add(c + " output " + i + " in " + type + " from inputs that begin inside their memory: "
                        + difference);
            }
        }
    }

    /** A device's logarithm and cosine are not the CPU's to the last bit, so its normal numbers are not either. */
    private static OpCatalog.Case forDevice(OpCatalog.Case c) {
        return c.op() instanceof CreateOp.Random r && r.distribution() == CreateOp.Distribution.NORMAL
                ? new OpCatalog.Case(c.name(), c.op(), c.inputs(), r.spec().dtype() == DType.F64 ? 1e-14 : 1e-6,
                        c.differentiable(), c.large(), c.special()) : c;
    }

    private static Tensor[] onDevice(Device device, OpCatalog.Case c, Tensor[] in, boolean shifted) {
        Tensor[] x = new Tensor[in.length];
        for (int i = 0; i < x.length; i++) {
            x[i] = shifted ? shifted(in[i], device) : in[i].to(device);
        }
        Tensor[] y = Context.inference().call(() -> Dispatcher.run(on(device, c.op()), x));
        for (int i = 0; i < y.length; i++) {
            y[i] = y[i].to(Device.CPU);
        }
        return y;
    }

    /** Runs an update on {@code device} and adds what is wrong. */
    public static void compare(Device device, OpCatalog.UpdateCase c, DType type, long seed, List<String> differences) {
        Tensor[] exact = OpCatalog.inputs(c, type, seed);
        for (int i = 0; i < exact.length; i++) {
            exact[i] = exact[i].cast(DType.F64).copy();
        }
        REFERENCE.update(c.update(), exact[0], Arrays.copyOfRange(exact, 1, exact.length));
        Tensor[] got = OpCatalog.inputs(c, type, seed);
        for (int i = 0; i < got.length; i++) {
            got[i] = shifted(got[i], device);
        }
        Dispatcher.update(c.update(), got[0], Arrays.copyOfRange(got, 1, got.length));
        for (int i = 0; i < got.length; i++) {
            double[] x = got[i].to(Device.CPU).toDoubles();
            double[] y = exact[i].toDoubles();
            for (int k = 0; k < x.length; k++) {
                if (!(Math.abs(x[k] - y[k]) <= (type == DType.F64 ? 1e-12 : c.tolerance()))) {
                    differences.add(c + " in " + type + ": tensor " + i + " element " + k + " is " + x[k] + ", expected "
                            + y[k]);
                    return;
                }
            }
        }
    }

    /**
     * What the reference gives for these inputs, made from that seed, in float64; ops without inputs keep their own type.
     */
    public static Tensor[] expected(OpCatalog.Case c, DType type, long seed, Tensor[] in) {
        return EXPECTED.computeIfAbsent(c.name() + type + seed, k -> Scope.persistent(() -> {
            Tensor[] exact = new Tensor[in.length];
            for (int i = 0; i < in.length; i++) {
                int at = i;
                exact[i] = c.inputs().get(i).dtype() != null ? in[i]
                        : Context.inference().withCpu(REFERENCE).call(() -> in[at].cast(DType.F64));
            }
            return run(c, exact);
        }));
    }

    public static void same(String what, Tensor[] a, Tensor[] b, List<String> differences) {
        for (int i = 0; i < a.length; i++) {
            if (!Objects.deepEquals(a[i].toArray(), b[i].toArray())) {
                differences.add(what + ": output " + i + " has other bits");
            }
        }
    }

    /** The same values three elements behind others that no result may depend on. */
    public static Tensor shifted(Tensor t) {
        return shifted(t, Device.CPU);
    }

    private static Tensor shifted(Tensor t, Device device) {
        int n = Math.toIntExact(t.size());
        Object wide = java.lang.reflect.Array.newInstance(HostAllocator.carrier(t.dtype()), n + 5);
        System.arraycopy(t.toArray(), 0, wide, 3, n);
        for (int i : new int[] {0, 1, 2, n + 3, n + 4}) {
            switch (wide) {
                case float[] a -> a[i] = Float.NaN;
                case double[] a -> a[i] = Double.NaN;
                case short[] a -> a[i] = (short) 0x7FFF;
                case int[] a -> a[i] = Integer.MIN_VALUE;
                case long[] a -> a[i] = Long.MIN_VALUE;
                default -> { }
            }
        }
        return Tensor.from(t.dtype(), wide, Shape.of(n + 5)).to(device).view(t.shape(), 3);
    }

    /** One line about the worst element, or null. */
    public static String difference(OpCatalog.Case c, DType type, Tensor got, Tensor want) {
        if (!got.shape().equals(want.shape()) || !want.dtype().isFloat() && got.dtype() != want.dtype()) {
            return got.spec() + " instead of " + want.spec();
        }
        double tolerance = switch (got.dtype()) {
            case F16 -> 0x1p-9;          // a composed op rounds after each step
            case BF16 -> 0x1p-6;
            case F64 -> type == DType.F64 ? Math.min(c.tolerance(), 1e-12) : c.tolerance();
            case F32 -> c.tolerance() == 0 ? 0 : Math.max(c.tolerance(), 0x1p-24);
            case I8, I16, I32, I64, U8, BOOL -> 0;
        };
        if (c.op() instanceof CreateOp.Random r && r.distribution() == CreateOp.Distribution.NORMAL) {
            tolerance = got.dtype() == DType.F64 ? 0x1p-50 : 0x1p-23;      // each device has its own logarithm and cosine
        }
        double[] a = got.toDoubles();
        double[] b = want.toDoubles();
        double largest = 0;
        for (double v : b) {
            largest = Double.isFinite(v) ? Math.max(largest, Math.abs(v)) : largest;
        }
        int worst = -1;
        double by = 0;
        for (int i = 0; i < a.length; i++) {
            double exact = got.dtype() == DType.F32 && tolerance == 0 ? (float) b[i] : b[i];
            double scale = Math.max(c.special() ? Math.abs(exact) : largest, SMALL);
            boolean equal = a[i] == exact || a[i] != a[i] && exact != exact;
            double error = equal ? 0 : Double.isFinite(exact) ? Math.abs(a[i] - exact) : Double.POSITIVE_INFINITY;
            boolean bad = !equal && !(Double.isFinite(error) && error <= tolerance * scale);
            if (bad && !(error <= by) || bad && worst < 0) {
                worst = i;
                by = error;
            }
        }
        return worst < 0 ? null : "element " + worst + " is " + a[worst] + ", expected " + b[worst] + " within "
                + tolerance + " of " + (c.special() ? "itself" : "the largest, " + largest + " (at least " + SMALL + ")");
    }
}
