package dev.graft.benchmarks.peers.onnxruntime;

import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.ConvNet.Act;
import dev.graft.benchmarks.peers.ConvNet.Block;
import dev.graft.benchmarks.peers.ConvNet.Unit;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A {@link ConvNet} in evaluation as an ONNX file, written field by field: numbers are those of onnx.proto. */
final class OnnxModel {
    private static final int IR_VERSION = 8;
    private static final int OPSET = 17;
    private static final int FLOAT = 1;

    private final Message graph = new Message();
    private int nodes;
    private boolean limits;

    private OnnxModel() {}

    static byte[] of(ConvNet spec, int batch) {
        OnnxModel m = new OnnxModel();
        String x = "images";
        for (Block b : spec.blocks()) {
            String y = x;
            for (Unit u : b.units()) {
                y = m.unit(u, y);
            }
            if (b.residual()) {
                y = m.node("Add", new Message(), y, b.shortcut() == null ? x : m.unit(b.shortcut(), x));
            }
            y = m.act(b.after(), y);
            x = b.pool() ? m.node("MaxPool", new Message().message(5, ints("kernel_shape", 3, 3))
                    .message(5, ints("strides", 2, 2)).message(5, ints("pads", 1, 1, 1, 1)), y) : y;
        }
        x = m.node("Flatten", new Message(), m.node("GlobalAveragePool", new Message(), x));
        spec.values(ConvNet.CLASSES, m::initializer);
        Message transposed = new Message().bytes(1, utf8("transB")).number(3, 1).number(20, 2);
        x = m.node("Gemm", new Message().message(5, transposed), x, spec.head() + ".weight", spec.head() + ".bias");
        m.graph.bytes(2, utf8(spec.name()));
        m.graph.message(11, value("images", batch, 3, 224, 224));
        m.graph.message(12, value(x, batch, ConvNet.CLASSES));
        Message operators = new Message().bytes(1, utf8("")).number(2, OPSET);
        return new Message().number(1, IR_VERSION).message(7, m.graph).message(8, operators).toByteArray();
    }

    private String unit(Unit u, String x) {
        int pad = u.kernel() / 2;
        String y = node("Conv", new Message().message(5, ints("kernel_shape", u.kernel(), u.kernel()))
                .message(5, ints("strides", u.stride(), u.stride())).message(5, ints("pads", pad, pad, pad, pad))
                .message(5, new Message().bytes(1, utf8("group")).number(3, u.groups()).number(20, 2)),
                x, u.path() + ".weight");
        Message eps = new Message().bytes(1, utf8("epsilon")).float32(2, (float) ConvNet.EPS).number(20, 1);
        return act(u.act(), node("BatchNormalization", new Message().message(5, eps), y, u.norm() + ".weight",
                u.norm() + ".bias", u.norm() + ".running_mean", u.norm() + ".running_var"));
    }

    private String act(Act act, String x) {
        return switch (act) {
            case NONE -> x;
            case RELU -> node("Relu", new Message(), x);
            case RELU6 -> {
                if (!limits) {
                    initializer("zero", new float[] {0});
                    initializer("six", new float[] {6});
                    limits = true;
                }
                yield node("Clip", new Message(), x, "zero", "six");
            }
        };
    }

    /** Adds a node and returns its output; {@code attributes} holds field 5 only. */
    private String node(String op, Message attributes, String... in) {
        String out = op + nodes++;
        Message n = new Message();
        for (String i : in) {
            n.bytes(1, utf8(i));
        }
        n.bytes(2, utf8(out)).bytes(4, utf8(op)).append(attributes);
        graph.message(1, n);
        return out;
    }

    /** A scalar where there are no dims. */
    private void initializer(String name, float[] values, int... dims) {
        Message t = new Message();
        for (int d : dims) {
            t.number(1, d);
        }
        ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(values);
        graph.message(5, t.number(2, FLOAT).bytes(8, utf8(name)).bytes(9, raw.array()));
    }

    private static Message ints(String name, int... values) {
        Message a = new Message().bytes(1, utf8(name));
        for (int v : values) {
            a.number(8, v);
        }
        return a.number(20, 7);
    }

    private static Message value(String name, int... dims) {
        Message shape = new Message();
        for (int d : dims) {
            shape.message(1, new Message().number(1, d));
        }
        return new Message().bytes(1, utf8(name)).message(2, new Message().message(1,
                new Message().number(1, FLOAT).message(2, shape)));
    }

    private static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    /** Fields of a protocol buffer. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Message number(int field, long value) {
            varint((long) field << 3);
            varint(value);
            return this;
        }

        Message float32(int field, float value) {
            varint((long) field << 3 | 5);
            out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(value).array());
            return this;
        }

        Message bytes(int field, byte[] value) {
            varint((long) field << 3 | 2);
            varint(value.length);
            out.writeBytes(value);
            return this;
        }

        Message message(int field, Message m) {
            return bytes(field, m.toByteArray());
        }

        Message append(Message m) {
            out.writeBytes(m.toByteArray());
            return this;
        }

        byte[] toByteArray() {
            return out.toByteArray();
        }

        private void varint(long value) {
            long v = value;
            while ((v & ~0x7FL) != 0) {
                out.write((int) (v & 0x7F | 0x80));
                v >>>= 7;
            }
            out.write((int) v);
        }
    }
}
