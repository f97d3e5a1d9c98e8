package dev.graft.nn.onnx;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An ONNX graph with its weights: what single-layer models use of ModelProto (github.com/onnx/onnx, onnx.proto). */
record OnnxModel(List<Node> nodes, Map<String, Tensor> initializers, List<String> inputs, List<String> outputs) {
    /** What a graph uses and Graft has no op for. */
    static final class OutOfScope extends RuntimeException {
        private static final long serialVersionUID = 1;

        OutOfScope(String reason) {
            super(reason);
        }
    }

    /** @param attributes numbers as Long or Float, lists of numbers as long[], text as String, tensors as Tensor */
    record Node(String op, List<String> in, List<String> out, Map<String, Object> attributes) {
        long[] ints(String name, long... otherwise) {
            return (long[]) attributes.getOrDefault(name, otherwise);
        }

        int number(String name, int otherwise) {
            return ((Number) attributes.getOrDefault(name, otherwise)).intValue();
        }

        double real(String name, double otherwise) {
            return ((Number) attributes.getOrDefault(name, otherwise)).doubleValue();
        }
    }

    static OnnxModel read(byte[] file) {
        OnnxModel m = new OnnxModel(new ArrayList<>(), new LinkedHashMap<>(), new ArrayList<>(), new ArrayList<>());
        Wire.read(ByteBuffer.wrap(file), (field, v) -> {
            if (field == 7) {
                Wire.read(v.bytes(), m::graphField);
            }
        });
        m.inputs.removeAll(m.initializers.keySet());
        return m;
    }

    private void graphField(int field, Wire.Value v) {
        switch (field) {
            case 1 -> nodes.add(node(v.bytes()));
            case 5 -> {
                String[] name = new String[1];
                Tensor t = tensor(v.bytes(), name);
                initializers.put(name[0], t);
            }
            case 11 -> Wire.read(v.bytes(), (f, n) -> add(inputs, f, n));
            case 12 -> Wire.read(v.bytes(), (f, n) -> add(outputs, f, n));
            default -> { }
        }
    }

    private static void add(List<String> names, int field, Wire.Value v) {
        if (field == 1) {
            names.add(v.text());
        }
    }

    private static Node node(ByteBuffer message) {
        String[] op = new String[1];
        Node n = new Node("", new ArrayList<>(), new ArrayList<>(), new HashMap<>());
        Wire.read(message, (field, v) -> {
            switch (field) {
                case 1 -> n.in.add(v.text());
                case 2 -> n.out.add(v.text());
                case 4 -> op[0] = v.text();
                case 5 -> attribute(v.bytes(), n.attributes);
                default -> { }
            }
        });
        return new Node(op[0], n.in, n.out, n.attributes);
    }

    private static void attribute(ByteBuffer message, Map<String, Object> into) {
        String[] name = new String[1];
        Object[] value = new Object[1];
        Wire.read(message, (field, v) -> {
            switch (field) {
                case 1 -> name[0] = v.text();
                case 2 -> value[0] = v.asFloat();
                case 3 -> value[0] = v.number();
                case 4 -> value[0] = v.text();
                case 5 -> value[0] = tensor(v.bytes(), new String[1]);
                case 8 -> value[0] = join((long[]) value[0], v.numbers());
                case 9 -> value[0] = value[0] == null ? v.text() : value[0] + "," + v.text();
                default -> { }
            }
        });
        into.put(name[0], value[0]);
    }

    private static long[] join(long[] a, long[] b) {
        long[] all = Arrays.copyOf(a == null ? new long[0] : a, (a == null ? 0 : a.length) + b.length);
        System.arraycopy(b, 0, all, all.length - b.length, b.length);
        return all;
    }

    /** A TensorProto; its name goes to {@code name}. */
    static Tensor tensor(ByteBuffer message, String[] name) {
        long[][] dims = {new long[0]};
        long[][] numbers = {new long[0]};
        int[] type = new int[1];
        ByteBuffer[] raw = new ByteBuffer[1];
        Wire.read(message, (field, v) -> {
            switch (field) {
                case 1 -> dims[0] = join(dims[0], v.numbers());
                case 2 -> type[0] = (int) v.number();
                case 4, 9, 10 -> raw[0] = v.bytes();        // packed floats and doubles lie as in raw_data
                case 5, 7 -> numbers[0] = join(numbers[0], v.numbers());
                case 8 -> name[0] = v.text();
                default -> { }
            }
        });
        int[] d = Arrays.stream(dims[0]).mapToInt(Math::toIntExact).toArray();
        int n = Math.toIntExact(Shape.of(d).size());
        ByteBuffer b = raw[0] == null ? ByteBuffer.allocate(0) : raw[0].duplicate().order(ByteOrder.LITTLE_ENDIAN);
        return switch (type[0]) {
            case 1 -> {
                float[] a = new float[n];
                b.asFloatBuffer().get(a);
                yield Tensor.of(a, d);
            }
            case 7 -> {
                long[] a = numbers[0];
                if (raw[0] != null) {
                    a = new long[n];
                    b.asLongBuffer().get(a);
                }
                yield Tensor.of(a, d);
            }
            case 11 -> {
                double[] a = new double[n];
                b.asDoubleBuffer().get(a);
                yield Tensor.of(a, d);
            }
            case 8 -> throw new OutOfScope("strings are no tensors here");
            default -> throw new OutOfScope("element type " + type[0]);
        };
    }
}
