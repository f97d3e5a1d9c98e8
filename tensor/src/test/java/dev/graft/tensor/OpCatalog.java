package dev.graft.tensor;

import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import java.lang.reflect.Array;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.StringJoiner;

/**
 * Sample cases of every op: what a backend is compared on, what gradients are checked on, what a benchmark may run. {@link
 * OpCatalogTest} fails when an op, or a constant of an enum that parameterises one, has no case.
 */
public final class OpCatalog {
    private static final List<Case> CASES = named();

    private OpCatalog() {}

    /**
     * Elements of one input.
     *
     * @param dtype  null for the floating-point type that the caller asks for
     * @param wide   whether the open type is float32 where the caller asks for float16 or bfloat16
     * @param values draws the elements
     */
    public record Input(DType dtype, boolean wide, Shape shape, Values values) {
        DType type(DType asked) {
            return dtype != null ? dtype : wide && asked != DType.F64 ? DType.F32 : asked;
        }
    }

    /** Draws {@code count} elements; {@code earlier} are the elements of the inputs in front. */
    @FunctionalInterface
    public interface Values {
        double[] make(SplittableRandom random, int count, List<double[]> earlier);
    }

    /**
     * One op with one set of inputs.
     *
     * @param tolerance      largest difference of a float32 kernel from the float64 result, relative to the result's
     *                       largest absolute value
     * @param differentiable whether the first output has a gradient by every floating-point input that central differences
     *                       can confirm: small, and away from kinks
     * @param large          whether it has enough elements for more than one thread
     * @param special        whether it holds NaN, infinities or extreme numbers, so that elements are compared one by one
     */
    public record Case(String name, Op op, List<Input> inputs, double tolerance, boolean differentiable, boolean large,
                       boolean special) {
        static Case of(Op op, double tolerance, Input... inputs) {
            return new Case("", op, List.of(inputs), tolerance, false, false, false);
        }

        Case smooth() {
            return new Case(name, op, inputs, tolerance, true, large, special);
        }

        Case smooth(boolean on) {
            return on ? smooth() : this;
        }

        Case isLarge() {
            return new Case(name, op, inputs, tolerance, false, true, special);
        }

        Case isSpecial() {
            return new Case(name, op, inputs, tolerance, false, large, true);
        }

        /** Whether some input's type is the caller's choice. */
        public boolean anyFloat() {
            return inputs.stream().anyMatch(i -> i.dtype() == null);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** A change in place of a target of {@code shape} with {@code update.inputs()} further tensors. */
    public record UpdateCase(String name, Update update, Shape shape, double tolerance) {
        @Override
        public String toString() {
            return name;
        }
    }

    /** All cases, always in the same order and with distinct names. */
    public static List<Case> cases() {
        return CASES;
    }

    public static List<UpdateCase> updates() {
        List<UpdateCase> all = new ArrayList<>();
        List<Update> updates = List.of(new Update.Assign(), new Update.Axpby(0.9, 0.1), new Update.Axpby(1, -2),
                new Update.Sgd(0.1, 0, 0, 0, false, false), new Update.Sgd(0.1, 0, 0, 0.01, false, false),
                new Update.Sgd(0.1, 0.9, 0, 0.01, false, true), new Update.Sgd(0.1, 0.9, 0.5, 0.01, false, false),
                new Update.Sgd(0.1, 0.9, 0, 0.01, true, false),
                new Update.Adam(1e-2, 0.9, 0.999, 1e-8, 0, false, 1), new Update.Adam(1e-2, 0.9, 0.999, 1e-8, 0.1, false, 7),
                new Update.Adam(1e-2, 0.9, 0.999, 1e-8, 0.1, true, 1),
                new Update.Adam(1e-2, 0.8, 0.99, 1e-6, 0.1, true, 1000),
                new Update.RmsProp(1e-2, 0.99, 1e-8, 0, 0), new Update.RmsProp(1e-2, 0.9, 1e-8, 0.1, 0.9));
        for (Update u : updates) {
            for (Shape s : List.of(Shape.SCALAR, Shape.of(0), Shape.of(3, 37), Shape.of(7, 20011))) {
                all.add(new UpdateCase(u.name() + describe(u) + " " + s, u, s, 1e-6));
            }
        }
        return all;
    }

    /** The inputs of {@code c} on the CPU, its open types as {@code dtype}: the same for the same arguments. */
    public static Tensor[] inputs(Case c, DType dtype, long seed) {
        SplittableRandom random = new SplittableRandom(c.name.hashCode() * 0x9E3779B97F4A7C15L + seed);
        List<double[]> earlier = new ArrayList<>();
        Tensor[] in = new Tensor[c.inputs.size()];
        for (int i = 0; i < in.length; i++) {
            Input spec = c.inputs.get(i);
            double[] values = spec.values.make(random.split(), Math.toIntExact(spec.shape.size()), earlier);
            earlier.add(values);
            in[i] = Tensor.from(spec.type(dtype), array(spec.type(dtype), values), spec.shape);
        }
        return in;
    }

    /** Target and inputs of {@code c}; the second moments of Adam and RMSprop are not negative. */
    public static Tensor[] inputs(UpdateCase c, DType dtype, long seed) {
        SplittableRandom random = new SplittableRandom(c.name.hashCode() * 0x9E3779B97F4A7C15L + seed);
        Tensor[] all = new Tensor[1 + c.update.inputs()];
        int square = c.update instanceof Update.Adam ? 3 : c.update instanceof Update.RmsProp ? 2 : -1;
        for (int i = 0; i < all.length; i++) {
            double low = i == square ? 0.01 : -1;
            double[] values = random.split().doubles(c.shape.size(), low, 1).toArray();
            all[i] = Tensor.from(dtype, array(dtype, values), c.shape);
        }
        return all;
    }

    private static Object array(DType dtype, double[] v) {
        Object a = Array.newInstance(HostAllocator.carrier(dtype), v.length);
        for (int i = 0; i < v.length; i++) {
            switch (dtype) {
                case F32 -> Array.setFloat(a, i, (float) v[i]);
                case F64 -> Array.setDouble(a, i, v[i]);
                case F16 -> Array.setShort(a, i, Float.floatToFloat16((float) v[i]));
                case BF16 -> Array.setShort(a, i, (short) (Float.floatToIntBits((float) v[i]) >>> 16));
                case I64 -> Array.setLong(a, i, (long) v[i]);
                case I32 -> Array.setInt(a, i, (int) v[i]);
                case I16 -> Array.setShort(a, i, (short) v[i]);
                case I8, U8, BOOL -> Array.setByte(a, i, (byte) (int) v[i]);
            }
        }
        return a;
    }

    private static List<Case> named() {
        List<Case> all = new ArrayList<>();
        ElementwiseCases.addTo(all);
        ReduceCases.addTo(all);
        NormCases.addTo(all);
        LossCases.addTo(all);
        AttentionCases.addTo(all);
        LayoutCases.addTo(all);
        ProductCases.addTo(all);
        ImageCases.addTo(all);
        Map<String, Integer> seen = new HashMap<>();
        return all.stream().map(c -> {
            String name = c.op.name() + describe(c.op) + inputs(c);
            int n = seen.merge(name, 1, Integer::sum);
            return new Case(n == 1 ? name : name + " #" + n, c.op, c.inputs, c.tolerance, c.differentiable, c.large,
                    c.special);
        }).toList();
    }

    private static String inputs(Case c) {
        StringJoiner s = new StringJoiner(", ", " (", ")" + (c.special ? " special" : ""));
        for (Input i : c.inputs) {
            s.add((i.dtype == null ? i.wide ? "wide float" : "float" : i.dtype.toString()) + i.shape);
        }
        return s.toString();
    }

    /** A record's components, arrays spelt out. */
    private static String describe(Object op) {
        StringJoiner s = new StringJoiner(", ", "{", "}");
        for (RecordComponent c : op.getClass().getRecordComponents()) {
            try {
                Object v = c.getAccessor().invoke(op);
                s.add(c.getName() + "=" + (v instanceof int[] a ? Arrays.toString(a) : v));
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        }
        return s.toString();
    }

    // ------------------------------------------------------------------ how inputs are drawn

    static Input floats(Values values, int... dims) {
        return new Input(null, false, Shape.of(dims), values);
    }

    /** float64 where that is asked for, else float32. */
    static Input wide(Values values, int... dims) {
        return new Input(null, true, Shape.of(dims), values);
    }

    static Input of(DType dtype, Values values, int... dims) {
        return new Input(dtype, false, Shape.of(dims), values);
    }

    /** Evenly distributed from {@code low} to {@code high}. */
    static Values uniform(double low, double high) {
        return (r, n, earlier) -> r.doubles(n, low, high).toArray();
    }

    /** From {@code low} to {@code high}, but at least 0.05 from every kink. */
    static Values away(double low, double high, double... kinks) {
        return (r, n, earlier) -> {
            double[] v = new double[n];
            for (int i = 0; i < n; i++) {
                double x;
                do {
                    x = r.nextDouble(low, high);
                } while (near(x, kinks));
                v[i] = x;
            }
            return v;
        };
    }

    private static boolean near(double x, double[] kinks) {
        for (double k : kinks) {
            if (Math.abs(x - k) < 0.05) {
                return true;
            }
        }
        return false;
    }

    /** Whole numbers from {@code low} to {@code high}, both included: indices, ties. */
    static Values whole(int low, int high) {
        return (r, n, earlier) -> r.ints(n, low, high + 1).asDoubleStream().toArray();
    }

    /** Different numbers from -1 to 1 in random order: no ties. */
    static Values distinct() {
        return (r, n, earlier) -> {
            double[] v = new double[n];
            for (int i = 0; i < n; i++) {
                int j = r.nextInt(i + 1);
                v[i] = v[j];
                v[j] = 2.0 * (i + 0.5) / n - 1;
            }
            return v;
        };
    }

    /** These numbers again and again. */
    static Values cycle(double... numbers) {
        return (r, n, earlier) -> {
            double[] v = new double[n];
            for (int i = 0; i < n; i++) {
                v[i] = numbers[i % numbers.length];
            }
            return v;
        };
    }
}
