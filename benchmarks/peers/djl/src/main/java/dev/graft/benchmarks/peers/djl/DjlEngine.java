package dev.graft.benchmarks.peers.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.RowRunner;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Pass;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** DJL with PyTorch's native build, in DJL's layout: channels first. */
public final class DjlEngine implements Engine {
    static final ai.djl.engine.Engine PYTORCH;
    static final NDManager MANAGER;

    static {
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
        System.setProperty("ai.djl.pytorch.num_threads", System.getProperty("bench.threads"));
        PYTORCH = ai.djl.engine.Engine.getEngine("PyTorch");
        MANAGER = NDManager.newBaseManager(Device.cpu());
    }

    public static void main(String[] args) {
        RowRunner.run(new DjlEngine(), args);
    }

    @Override
    public String describe() {
        return "DJL " + System.getProperty("bench.version") + ", PyTorch " + PYTORCH.getVersion() + " (oneDNN, MKL), "
                + System.getProperty("bench.threads") + " threads, NCHW";
    }

    @Override
    public Prepared prepare(Work work) {
        return switch (work) {
            case Work.Gemm g -> gemm(g);
            case Work.Conv c -> convolution(c);
            case Work.Op o -> DjlOps.prepare(o);
            case Work.Net n -> DjlNetwork.prepare(n);
            case Work.Bert b -> DjlEncoder.prepare(b);
        };
    }

    static NDArray array(float[] values, int... dims) {
        return MANAGER.create(values, shape(dims));
    }

    static NDArray array(String name, int... dims) {
        return array(Values.of(name, dims), dims);
    }

    static Shape shape(int... dims) {
        return new Shape(Arrays.stream(dims).asLongStream().toArray());
    }

    /** [N, H, W, C] values as an [N, C, H, W] array. */
    static NDArray image(float[] values, int... d) {
        return array(Values.channelsFirst(values, d[0], d[1], d[2], d[3]), d[0], d[3], d[1], d[2]);
    }

    static NDArray image(String name, int... dims) {
        return image(Values.of(name, dims), dims);
    }

    static NDArray labels(int count, int classes) {
        return MANAGER.create(Values.labels(count, classes), new Shape(count)).toType(DataType.INT64, false);
    }

    /** The values of {@code a}, four-dimensional ones as [N, H, W, C]. */
    static float[] values(NDArray a) {
        float[] v = a.toFloatArray();
        Shape s = a.getShape();
        return s.dimension() != 4 ? v
                : Values.channelsLast(v, (int) s.get(0), (int) s.get(1), (int) s.get(2), (int) s.get(3));
    }

    static float[] values(List<NDArray> arrays) {
        List<float[]> all = arrays.stream().map(DjlEngine::values).toList();
        float[] joined = new float[all.stream().mapToInt(p -> p.length).sum()];
        int at = 0;
        for (float[] p : all) {
            System.arraycopy(p, 0, joined, at, p.length);
            at += p.length;
        }
        return joined;
    }

    /** One call of {@code f} with {@code in} attached to a manager of its own, so that all it makes is freed. */
    static Prepared forward(List<NDArray> in, Function<List<NDArray>, NDArray> f) {
        return new Prepared() {
            @Override
            public void run() {
                try (NDManager s = MANAGER.newSubManager()) {
                    in.forEach(x -> x.tempAttach(s));
                    f.apply(in);
                }
            }

            @Override
            public float[] result() {
                try (NDManager s = MANAGER.newSubManager()) {
                    in.forEach(x -> x.tempAttach(s));
                    return values(f.apply(in));
                }
            }
        };
    }

    /**
     * {@code f} and the gradients of those of {@code in} that are {@code wanted}. Leaves are new in each call, so that no
     * gradient is added to an old one.
     *
     * @param dy null for a single value
     */
    static Prepared recorded(List<NDArray> in, boolean[] wanted, NDArray dy, Function<List<NDArray>, NDArray> f) {
        return new Prepared() {
            @Override
            public void run() {
                call(false);
            }

            @Override
            public float[] result() {
                return call(true);
            }

            private float[] call(boolean read) {
                try (NDManager s = MANAGER.newSubManager()) {
                    NDList leaves = new NDList();
                    for (int i = 0; i < wanted.length; i++) {
                        NDArray leaf = in.get(i);
                        if (wanted[i]) {
                            leaf = leaf.stopGradient();
                            leaf.attach(s);
                            leaf.setRequiresGradient(true);
                        } else {
                            leaf.tempAttach(s);
                        }
                        leaves.add(leaf);
                    }
                    try (GradientCollector g = PYTORCH.newGradientCollector()) {
                        NDArray y = f.apply(leaves);
                        JniUtils.backward((PtNDArray) y, (PtNDArray) (dy == null ? MANAGER.create(1f) : dy), false, false);
                    }
                    NDList gradients = new NDList();
                    for (int i = 0; i < wanted.length; i++) {
                        if (wanted[i]) {
                            gradients.add(leaves.get(i).getGradient());
                        }
                    }
                    float[] out = read ? values(gradients) : null;
                    gradients.close();
                    return out;
                }
            }
        };
    }

    private static Prepared gemm(Work.Gemm g) {
        NDArray a = array("a", g.a());
        NDArray b = array("b", g.b());
        return forward(List.of(a, b), in -> switch (g.form()) {
            case NN -> in.get(0).matMul(in.get(1));
            case NT -> in.get(0).matMul(in.get(1).transpose());
            case TN -> in.get(0).transpose().matMul(in.get(1));
        });
    }

    private static Prepared convolution(Work.Conv c) {
        NDArray x = image("x", c.x());
        NDArray w = image("w", c.w());
        Shape stride = new Shape(c.stride(), c.stride());
        Shape padding = new Shape(c.kernel() / 2, c.kernel() / 2);
        Function<List<NDArray>, NDArray> f = in -> Conv2d.conv2d(in.get(0), in.get(1), null, stride, padding,
                new Shape(1, 1), c.groups()).get(0);
        if (c.pass() == Pass.FORWARD || c.pass() == Pass.FORWARD_FROZEN) {
            return forward(List.of(x, w), f);
        }
        if (!c.pass().withForward()) {
            throw new IllegalArgumentException(c.name() + ": gradients come only behind a forward pass here");
        }
        return recorded(List.of(x, w), new boolean[] {c.pass().data(), c.pass().weight()}, image("dy", c.y()), f);
    }
}
