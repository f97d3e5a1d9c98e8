package dev.graft.kernels.ops;

import dev.graft.kernels.DeviceError;
import dev.graft.kernels.ops.ElementProgram.Input;
import dev.graft.kernels.ops.ElementProgram.Number;
import dev.graft.kernels.ops.ElementProgram.Step;
import dev.graft.tensor.DType;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;

/**
 * Writes the CUDA text of an {@link ElementProgram}: a function of one element, and a kernel that calls it for groups of
 * elements that are loaded and stored 16 bytes at a time, then for those that are left over.
 */
final class ElementText {
    private final List<Input> inputs;
    private final List<Step> steps;
    private final List<Integer> outputs;
    private final ElementProgram program;
    private final String kernel;
    private final StringBuilder s = new StringBuilder();
    private final List<Integer> dropouts = new ArrayList<>();
    private final List<Integer> strides = new ArrayList<>();

    private ElementText(ElementProgram program, String kernel) {
        this.program = program;
        this.kernel = kernel;
        inputs = program.inputs();
        steps = program.steps();
        outputs = program.outputs();
        for (int i = 0; i < inputs.size(); i++) {
            if (inputs.get(i).strided()) {
                strides.add(i);
            }
        }
        for (int j = 0; j < steps.size(); j++) {
            if (steps.get(j).op() instanceof ElementwiseOp.Dropout) {
                dropouts.add(j);
            }
        }
    }

    /** The kernel {@code name} and its parts; {@link #functions} must stand before it. */
    static String of(ElementProgram program, String name) {
        return new ElementText(program, name).write();
    }

    private String write() {
        element();
        if (!strides.isEmpty()) {
            places();
        }
        kernel();
        return s.toString();
    }

    private void line(String text) {
        s.append(text).append('\n');
    }

    /** Numbers of the steps as parameters; {@code types} says whether they are declared or passed on. */
    private List<String> numbers(boolean types) {
        List<String> all = new ArrayList<>();
        for (int j = 0; j < steps.size(); j++) {
            Number n = ElementProgram.number(steps.get(j));
            String type = CudaTypes.computed(steps.get(j).from());
            if (n == Number.VALUE) {
                all.add((types ? type + " " : "") + "a" + j);
            } else if (n == Number.FRACTION) {
                all.add((types ? "double " : "") + "a" + j);
            } else if (n == Number.ERROR_FLAG) {
                all.add((types ? "i32 *" : "") + "a" + j);
            } else if (n == Number.DROPOUT) {
                all.add((types ? "u32 " : "") + "below" + j);
                all.add((types ? type + " " : "") + "a" + j);
            }
        }
        return all;
    }

    /** The function of one element. */
    private void element() {
        List<String> p = new ArrayList<>();
        for (int i = 0; i < inputs.size(); i++) {
            p.add(CudaTypes.computed(inputs.get(i).type()) + " x" + i);
        }
        p.addAll(numbers(true));
        for (int j : dropouts) {
            p.add("u32 word" + j);
        }
        for (int k = 0; k < outputs.size(); k++) {
            p.add(CudaTypes.computed(steps.get(outputs.get(k)).type()) + " &y" + k);
        }
        line("__device__ __forceinline__ void " + kernel + "_element(" + String.join(", ", p) + ") {");
        for (int j = 0; j < steps.size(); j++) {
            Step step = steps.get(j);
            line("    const " + CudaTypes.computed(step.type()) + " v" + j + " = " + expression(step, j) + ";");
            if (rounded(j)) {
                line("    const " + CudaTypes.computed(step.type()) + " r" + j + " = to_acc(from_acc<"
                        + CudaTypes.of(step.type()) + ">(v" + j + "));");
            }
        }
        for (int k = 0; k < outputs.size(); k++) {
            line("    y" + k + " = v" + outputs.get(k) + ";");
        }
        line("}");
    }

    /** Whether later steps must read what a cast leaves in memory: casts say that digits go. */
    private boolean rounded(int j) {
        DType to = steps.get(j).type();
        boolean fewer = to == DType.F16 || to == DType.BF16 || to.isInteger() && to != DType.I64;
        return fewer && (!to.isFloat() || steps.get(j).op() instanceof ElementwiseOp.Cast)
                && steps.stream().anyMatch(s -> s.args().contains(-1 - j));
    }

    private String value(int arg) {
        return arg >= 0 ? "x" + arg : (rounded(-1 - arg) ? "r" : "v") + (-1 - arg);
    }

    private String expression(Step step, int j) {
        String x = value(step.args().getFirst());
        String type = CudaTypes.computed(step.from());
        return switch (step.op()) {
            case ElementwiseOp.Unary u -> "f_" + ElementProgram.word(step) + "<" + type + ">(" + x + number(u.fn(), j) + ")";
            case ElementwiseOp.UnaryBackward u -> x + " * f_" + ElementProgram.word(step) + "<" + type + ">("
                    + value(step.args().get(1)) + number(u.fn(), j) + ")";
            case ElementwiseOp.Binary b -> binary(b.fn(), step, x, value(step.args().get(1)), j);
            case ElementwiseOp.BinaryScalar b -> scalar(b, step, x, j);
            case ElementwiseOp.Where w -> x + " != 0 ? " + value(step.args().get(1)) + " : " + value(step.args().get(2));
            case ElementwiseOp.Cast c -> cast(step.from(), c.to(), x);
            case ElementwiseOp.Dropout d -> x + " * (philox_below(word" + j + ", below" + j + ") ? a" + j + " : "
                    + type + "(0))";
        };
    }

    private static String number(UnaryFn fn, int j) {
        return ElementProgram.parameter(fn) ? ", a" + j : "";
    }

    private static String binary(BinaryFn fn, Step step, String x, String y, int j) {
        if (ElementProgram.partial(fn, step.from())) {
            return fn == BinaryFn.DIV
                    ? "m_divide(" + x + ", " + y + ", a" + j + ", " + DeviceError.INTEGER_DIVISION_BY_ZERO.ordinal() + ")"
                    : "m_power(" + x + ", " + y + ", a" + j + ", " + DeviceError.NEGATIVE_INTEGER_POWER.ordinal() + ")";
        }
        return "f_" + fn.name().toLowerCase(Locale.ROOT) + "<" + CudaTypes.computed(step.from()) + ">(" + x + ", " + y
                + ")";
    }

    private static String scalar(ElementwiseOp.BinaryScalar b, Step step, String x, int j) {
        if (ElementProgram.product(b, step.from())) {
            return b.value() == 2 ? x + " * " + x : b.value() == 3 ? x + " * " + x + " * " + x
                    : CudaTypes.computed(step.from()) + "(1) / " + x;
        }
        if (ElementProgram.partial(b.fn(), step.from())) {        // the host has looked at the scalar
            return b.fn() == BinaryFn.DIV ? "m_divide(" + x + ", a" + j + ", (i32 *) 0, 0)"
                    : "m_power(" + x + ", a" + j + ", (i32 *) 0, 0)";
        }
        boolean fraction = ElementProgram.number(step) == Number.FRACTION;
        return "f_" + b.name() + "<" + (fraction ? "double" : CudaTypes.computed(step.from())) + ">("
                + (fraction ? "(double) " : "") + x + ", a" + j + ")";
    }

    /** To 16-bit types the value before it is rounded, as the store rounds it. */
    private static String cast(DType from, DType to, String x) {
        if (to == DType.F16 || to == DType.BF16) {
            return from == DType.F64 ? "round_to_odd(" + x + ")"
                    : from.isFloat() ? x : "round_to_odd((double) " + x + ")";
        }
        return to == DType.F32 ? "(float) " + x : to == DType.F64 ? "(double) " + x
                : "to_acc(from_acc<" + CudaTypes.of(to) + ">(" + x + "))";
    }

    /** Where element e lies in each broadcast input. */
    private void places() {
        List<String> p = new ArrayList<>(List.of("i64 n", "i32 rank", "const Axes &axes"));
        for (int i : strides) {
            p.add("const Steps &steps" + i);
        }
        p.add("i64 e");
        for (int i : strides) {
            p.add("i64 &at" + i);
        }
        line("__device__ __forceinline__ void " + kernel + "_places(" + String.join(", ", p) + ") {");
        line("    i64 rest = e;");
        for (int i : strides) {
            line("    at" + i + " = 0;");
        }
        line("#pragma unroll 1");
        line("    for (int a = rank - 1; a > 0; a--) {");
        line("        i64 q = n <= 0x7fffffff ? (i64) ((u32) rest / (u32) axes.size[a]) : rest / axes.size[a];");
        for (int i : strides) {
            line("        at" + i + " += (rest - q * axes.size[a]) * steps" + i + ".at[a];");
        }
        line("        rest = q;");
        line("    }");
        for (int i : strides) {
            line("    at" + i + " += rest * steps" + i + ".at[0];");
        }
        line("}");
    }

    /** Whole groups of elements first, then the rest (all elements where addresses or sizes do not allow groups). */
    private void kernel() {
        line("extern \"C\" __global__ void __launch_bounds__(" + Launches.THREADS + ") " + kernel + "("
                + String.join(", ", parameters()) + ") {");
        line("    const int N = " + program.width() + ", U = " + program.unroll() + ";");
        for (int j : dropouts) {
            line("    const u64 shifted" + j + " = stream" + j + " + *shift" + j + ";");
        }
        line("    for (i64 i = (i64) blockIdx.x * blockDim.x * U + threadIdx.x; i < groups;"
                + " i += (i64) gridDim.x * blockDim.x * U) {");
        for (int i = 0; i < inputs.size(); i++) {
            line("        Chunk<" + CudaTypes.of(inputs.get(i).type()) + ", N> c" + i + "[U];");
        }
        loop("");
        load();
        line("        }");
        loop("");
        compute();
        line("        }");
        line("    }");
        line("    for (i64 e = groups * N + (i64) blockIdx.x * blockDim.x + threadIdx.x; e < n;"
                + " e += (i64) gridDim.x * blockDim.x) {");
        rest();
        line("    }");
        line("}");
    }

    private void loop(String indent) {
        line("#pragma unroll");
        line(indent + "        for (int u = 0; u < U; u++) {");
        line(indent + "            const i64 g = i + u * (int) blockDim.x;");
        line(indent + "            if (g >= groups) break;");
    }

    private List<String> parameters() {
        List<String> p = new ArrayList<>();
        for (int k = 0; k < outputs.size(); k++) {
            p.add(CudaTypes.of(steps.get(outputs.get(k)).type()) + " *__restrict__ q" + k);
        }
        for (int i = 0; i < inputs.size(); i++) {
            p.add("const " + CudaTypes.of(inputs.get(i).type()) + " *__restrict__ p" + i);
        }
        p.addAll(numbers(true));
        for (int j : dropouts) {
            p.addAll(List.of("u64 seed" + j, "u64 stream" + j, "const u64 *shift" + j));
        }
        p.addAll(List.of("i64 n", "i64 groups"));
        if (!strides.isEmpty()) {
            p.addAll(List.of("i32 rank", "const __grid_constant__ Axes axes"));
            for (int i : strides) {
                p.add("const __grid_constant__ Steps steps" + i);
            }
        }
        return p;
    }

    private void callPlaces(String indent, String e) {
        if (strides.isEmpty()) {
            return;
        }
        List<String> p = new ArrayList<>(List.of("n", "rank", "axes"));
        StringBuilder declare = new StringBuilder();
        for (int i : strides) {
            p.add("steps" + i);
            declare.append(declare.isEmpty() ? "i64 at" : ", at").append(i);
        }
        p.add(e);
        for (int i : strides) {
            p.add("at" + i);
        }
        line(indent + declare + ";");
        line(indent + kernel + "_places(" + String.join(", ", p) + ");");
    }

    private void load() {
        String in = "            ";
        callPlaces(in, "g * N");
        for (int i = 0; i < inputs.size(); i++) {
            line(in + "c" + i + "[u] = " + (inputs.get(i).strided()
                    ? "load_strided<N>(p" + i + " + at" + i + ", steps" + i + ".at[rank - 1]);"
                    : "load_chunk<N>(p" + i + ", g);"));
        }
    }

    private void compute() {
        String in = "            ";
        List<String> call = new ArrayList<>();
        for (int i = 0; i < inputs.size(); i++) {
            line(in + CudaTypes.computed(inputs.get(i).type()) + " x" + i + "[N];");
            line(in + "unpack_chunk(c" + i + "[u], x" + i + ");");
            call.add("x" + i + "[k]");
        }
        call.addAll(numbers(false));
        for (int j : dropouts) {
            line(in + "u32 word" + j + "[N];");
            line(in + "philox_words<N>(seed" + j + ", shifted" + j + ", g * N, word" + j + ");");
            call.add("word" + j + "[k]");
        }
        for (int k = 0; k < outputs.size(); k++) {
            line(in + CudaTypes.computed(steps.get(outputs.get(k)).type()) + " y" + k + "[N];");
            call.add("y" + k + "[k]");
        }
        line("#pragma unroll");
        line(in + "for (int k = 0; k < N; k++) " + kernel + "_element(" + String.join(", ", call) + ");");
        for (int k = 0; k < outputs.size(); k++) {
            line(in + "store_chunk<N>(q" + k + ", g, y" + k + ");");
        }
    }

    private void rest() {
        String in = "        ";
        callPlaces(in, "e");
        List<String> call = new ArrayList<>();
        for (int i = 0; i < inputs.size(); i++) {
            call.add("to_acc(p" + i + "[" + (inputs.get(i).strided() ? "at" + i : "e") + "])");
        }
        call.addAll(numbers(false));
        for (int j : dropouts) {
            line(in + "const u32 word" + j + " = philox_word(philox(seed" + j + ", shifted" + j
                    + ", (u64) e >> 2), (int) (e & 3));");
            call.add("word" + j);
        }
        for (int k = 0; k < outputs.size(); k++) {
            line(in + CudaTypes.computed(steps.get(outputs.get(k)).type()) + " y" + k + ";");
            call.add("y" + k);
        }
        line(in + kernel + "_element(" + String.join(", ", call) + ");");
        for (int k = 0; k < outputs.size(); k++) {
            String type = CudaTypes.of(steps.get(outputs.get(k)).type());
            line(in + "q" + k + "[e] = from_acc<" + type + ">(y" + k + ");");
        }
    }

    /** The functions that the steps of {@code programs} call, each once. */
    static String functions(List<ElementProgram> programs) {
        TreeMap<String, String> all = new TreeMap<>();
        for (ElementProgram p : programs) {
            for (Step s : p.steps()) {
                switch (s.op()) {
                    case ElementwiseOp.Unary u -> all.put(u.name(), unary(u.name(), ElementFormulas.of(u.fn()), u.fn()));
                    case ElementwiseOp.UnaryBackward u ->
                            all.put(u.name(), unary(u.name(), ElementFormulas.derivative(u.fn()), u.fn()));
                    case ElementwiseOp.Binary b -> all.put(b.name(), binary(b.fn()));
                    case ElementwiseOp.BinaryScalar b -> all.put(b.name(), binary(b.fn()));
                    case ElementwiseOp.Where w -> { }
                    case ElementwiseOp.Cast c -> { }
                    case ElementwiseOp.Dropout d -> { }
                }
            }
        }
        return String.join("", all.values());
    }

    private static String unary(String name, String formula, UnaryFn fn) {
        return "template <class A> __device__ __forceinline__ A f_" + name + "(A x"
                + (ElementProgram.parameter(fn) ? ", A a" : "") + ") { return " + formula + "; }\n";
    }

    private static String binary(BinaryFn fn) {
        return "template <class A> __device__ __forceinline__ " + (fn.isPredicate() ? "i64" : "A") + " f_"
                + fn.name().toLowerCase(Locale.ROOT) + "(A x, A y) { return " + ElementFormulas.of(fn) + "; }\n";
    }
}
