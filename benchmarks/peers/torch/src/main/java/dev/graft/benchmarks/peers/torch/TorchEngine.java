package dev.graft.benchmarks.peers.torch;

import static org.bytedeco.pytorch.global.torch.conv2d;
import static org.bytedeco.pytorch.global.torch.convolution_backward;
import static org.bytedeco.pytorch.global.torch.get_num_threads;
import static org.bytedeco.pytorch.global.torch.set_num_threads;

import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.RowRunner;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.LongArrayRefOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/** libtorch by its Java binding, images channels-last. */
public final class TorchEngine implements Engine {
    public static void main(String[] args) {
        set_num_threads(Integer.getInteger("bench.threads"));
        RowRunner.run(new TorchEngine(), args);
    }

    @Override
    public String describe() {
        return "libtorch " + System.getProperty("bench.version") + " (oneDNN, OpenBLAS), "
                + get_num_threads() + " threads, channels-last";
    }

    @Override
    public Prepared prepare(Work work) {
        return switch (work) {
            case Work.Gemm g -> gemm(g);
            case Work.Conv c -> convolution(c);
            case Work.Op o -> TorchOps.prepare(o);
            case Work.Net n -> TorchNetwork.prepare(n);
            case Work.Bert b -> TorchEncoder.prepare(b);
        };
    }

    static long[] longs(long... x) {
        return x;
    }

    static long[] longs(int[] x) {
        long[] y = new long[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = x[i];
        }
        return y;
    }

    /** In the default layout. */
    static Tensor tensor(float[] values, int... dims) {
        return Tensor.create(values, longs(dims));
    }

    static Tensor tensor(String name, int... dims) {
        return tensor(Values.of(name, dims), dims);
    }

    /** [N, H, W, C] values as a channels-last [N, C, H, W] tensor: nothing moves. */
    static Tensor image(float[] values, int... dims) {
        return tensor(values, dims).permute(0, 3, 1, 2).contiguous(MemoryFormat.ChannelsLast);
    }

    static Tensor image(String name, int... dims) {
        return image(Values.of(name, dims), dims);
    }

    /** The values of {@code t}, four-dimensional ones as [N, H, W, C]. */
    static float[] values(Tensor t) {
        Tensor c = t.dim() == 4 ? t.permute(0, 2, 3, 1).contiguous() : t.contiguous();
        float[] v = new float[(int) c.numel()];
        new FloatPointer(c.data_ptr_float()).get(v);
        return v;
    }

    /** One call of {@code f} without gradient recording; its outputs one behind the other are the result. */
    static Prepared of(boolean recording, Supplier<Tensor[]> f) {
        return new Prepared() {
            @Override
            public void run() {
                try (PointerScope s = new PointerScope(); AutoGradMode g = new AutoGradMode(recording)) {
                    f.get();
                }
            }

            @Override
            public float[] result() {
                try (PointerScope s = new PointerScope(); AutoGradMode g = new AutoGradMode(recording)) {
                    List<float[]> all = new ArrayList<>();
                    int n = 0;
                    for (Tensor t : f.get()) {
                        all.add(values(t));
                        n += all.getLast().length;
                    }
                    float[] joined = new float[n];
                    int at = 0;
                    for (float[] p : all) {
                        System.arraycopy(p, 0, joined, at, p.length);
                        at += p.length;
                    }
                    return joined;
                }
            }
        };
    }

    static Prepared one(Supplier<Tensor> f) {
        return of(false, () -> new Tensor[] {f.get()});
    }

    private static Prepared gemm(Work.Gemm g) {
        Tensor a = tensor("a", g.a());
        Tensor b = tensor("b", g.b());
        return switch (g.form()) {
            case NN -> one(() -> a.matmul(b));
            case NT -> one(() -> a.matmul(b.t()));
            case TN -> one(() -> a.t().matmul(b));
        };
    }

    private static Prepared convolution(Work.Conv c) {
        Tensor x = image("x", c.x());
        Tensor w = image("w", c.w());
        Tensor dy = image("dy", c.y());
        TensorOptional none = new TensorOptional();
        LongArrayRefOptional noBias = new LongArrayRefOptional();
        long[] stride = longs(c.stride(), c.stride());
        long[] padding = longs(c.kernel() / 2, c.kernel() / 2);
        long[] dilation = longs(1, 1);
        long[] zero = longs(0, 0);
        BoolPointer mask = new BoolPointer(3).put(0, c.pass().data()).put(1, c.pass().weight()).put(2, false);
        return switch (c.pass()) {
            case FORWARD, FORWARD_FROZEN -> one(() -> conv2d(x, w, none, stride, padding, dilation, c.groups()));
            case BACKWARD, BACKWARD_DATA, BACKWARD_WEIGHT -> of(false, () -> {
                T_TensorTensorTensor_T g = convolution_backward(dy, x, w, noBias, stride, padding, dilation, false, zero,
                        c.groups(), mask);
                return !c.pass().weight() ? new Tensor[] {g.get0()} : !c.pass().data() ? new Tensor[] {g.get1()}
                        : new Tensor[] {g.get0(), g.get1()};
            });
            default -> throw new IllegalArgumentException(c.name() + ": forward and backward are timed apart here");
        };
    }
}
