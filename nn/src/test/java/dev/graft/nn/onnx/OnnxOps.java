package dev.graft.nn.onnx;

import dev.graft.nn.onnx.OnnxModel.Node;
import dev.graft.nn.onnx.OnnxModel.OutOfScope;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ReduceFn;
import java.util.Arrays;
import java.util.stream.IntStream;

/** ONNX nodes that are tensor ops rather than layers. */
final class OnnxOps {
    private OnnxOps() {}

    static Tensor[] run(Node n, Tensor... in) {
        Tensor x = in.length == 0 ? null : in[0];
        return switch (n.op()) {
            case "Split" -> split(n, x);
            case "Constant" -> one((Tensor) n.attributes().get("value"));
            case "Add", "Sum" -> one(fold(BinaryFn.ADD, in));
            case "Sub" -> one(x.sub(in[1]));
            case "Mul" -> one(x.mul(in[1]));
            case "Div" -> one(x.div(in[1]));
            case "Pow" -> one(x.pow(in[1]));
            case "Max" -> one(fold(BinaryFn.MAXIMUM, in));
            case "Min" -> one(fold(BinaryFn.MINIMUM, in));
            case "Neg" -> one(x.neg());
            case "Abs" -> one(x.abs());
            case "Sign" -> one(x.sign());
            case "Exp" -> one(x.exp());
            case "Sqrt" -> one(x.sqrt());
            case "Clip" -> one(x.clamp(n.real("min", 0), n.real("max", 0)));
            case "Shrink" -> one(shrink(x, n.real("lambd", 0.5), n.real("bias", 0)));
            case "PRelu" -> {
                Tensor slope = in[1].size() == 1 ? in[1] : in[1].reshape(channel(in[1].dim(0), x.rank()));
                yield one(x.gt(0).where(x, x.mul(slope)));
            }
            case "Softmax", "LogSoftmax" -> {
                if (x.shape().axis(n.number("axis", 1)) != x.rank() - 1) {
                    throw new OutOfScope("softmax over an inner axis");
                }
                yield one(n.op().equals("Softmax") ? x.softmax() : x.logSoftmax());
            }
            case "MatMul" -> one(x.matmul(in[1]));
            case "Transpose" -> one(x.permute(toInts(n.ints("perm"))));
            case "Reshape" -> one(reshape(x, in[1].toLongs()));
            case "Expand" -> one(x.broadcastTo(Shape.broadcast(x.shape(), Shape.of(toInts(in[1].toLongs())))));
            case "Tile" -> one(tile(x, in[1].toLongs()));
            case "Squeeze" -> one(x.reshape(IntStream.range(0, x.rank())
                    .filter(i -> Arrays.stream(n.ints("axes")).noneMatch(a -> a == i)).map(x::dim).toArray()));
            case "Unsqueeze" -> one(x.unsqueeze((int) n.ints("axes")[0]));
            case "Concat" -> one(Tensor.concat(n.number("axis", 0), in));
            case "Slice" -> one(x.slice((int) n.ints("axes")[0], (int) n.ints("starts")[0], (int) n.ints("ends")[0]));
            case "ReduceMean" -> one(x.reduce(ReduceFn.MEAN, n.number("keepdims", 1) == 1, toInts(n.ints("axes"))));
            case "ReduceSum" -> one(x.reduce(ReduceFn.SUM, n.number("keepdims", 1) == 1, toInts(n.ints("axes"))));
            case "Pad" -> one(pad(n, x));
            case String s when s.contains("Sequence") -> throw new OutOfScope("sequences of tensors");
            case "StringNormalizer" -> throw new OutOfScope("strings are no tensors here");
            default -> throw new OutOfScope("op " + n.op());
        };
    }

    private static Tensor[] one(Tensor t) {
        return new Tensor[] {t};
    }

    private static Tensor fold(BinaryFn fn, Tensor[] in) {
        return Arrays.stream(in).reduce((a, b) -> a.binary(fn, b)).orElseThrow();
    }

    private static int[] toInts(long[] v) {
        return Arrays.stream(v).mapToInt(Math::toIntExact).toArray();
    }

    private static int[] channel(int c, int rank) {
        int[] d = new int[rank];
        Arrays.fill(d, 1);
        d[1] = c;
        return d;
    }

    private static Tensor[] split(Node n, Tensor x) {
        int axis = x.shape().axis(n.number("axis", 0));
        long[] sizes = n.ints("split", x.dim(axis) / n.out().size(), x.dim(axis) / n.out().size());
        Tensor[] parts = new Tensor[sizes.length];
        int at = 0;
        for (int i = 0; i < parts.length; i++) {
            parts[i] = x.slice(axis, at, at + (int) sizes[i]);
            at += (int) sizes[i];
        }
        return parts;
    }

    private static Tensor shrink(Tensor x, double lambda, double bias) {
        Tensor zero = x.zerosLike();
        return x.lt(-lambda).where(x.add(bias), x.gt(lambda).where(x.sub(bias), zero));
    }

    private static Tensor reshape(Tensor x, long[] to) {
        int[] d = toInts(to);
        for (int i = 0; i < d.length; i++) {
            d[i] = d[i] == 0 ? x.dim(i) : d[i];
        }
        return x.reshape(d);
    }

    private static Tensor tile(Tensor x, long[] repeats) {
        Tensor y = x;
        for (int axis = 0; axis < repeats.length; axis++) {
            Tensor[] copies = new Tensor[(int) repeats[axis]];
            Arrays.fill(copies, y);
            y = Tensor.concat(axis, copies);
        }
        return y;
    }

    private static Tensor pad(Node n, Tensor x) {
        int[] p = toInts(n.ints("pads"));
        int r = x.rank();
        String mode = (String) n.attributes().get("mode");
        if (mode.equals("constant")) {
            return x.pad(Arrays.copyOf(p, r), Arrays.copyOfRange(p, r, 2 * r), n.real("value", 0));
        }
        Tensor y = x;
        for (int axis = 0; axis < r; axis++) {
            int size = x.dim(axis);
            int before = p[axis];
            long[] from = IntStream.range(0, before + size + p[r + axis]).mapToLong(i -> mode.equals("edge")
                    ? Math.clamp(i - before, 0, size - 1) : mirrored(i - before, size)).toArray();
            y = from.length == size ? y : gather(y, axis, from);
        }
        return y;
    }

    private static long mirrored(int i, int size) {
        int period = Math.max(1, 2 * (size - 1));
        int k = Math.floorMod(i, period);
        return Math.min(k, period - k);
    }

    /** The places {@code from} of {@code axis}. */
    private static Tensor gather(Tensor x, int axis, long[] from) {
        int[] swap = IntStream.range(0, x.rank()).map(i -> i == 0 ? axis : i == axis ? 0 : i).toArray();
        return x.permute(swap).take(Tensor.of(from, from.length).cast(DType.I32)).permute(swap);
    }
}
