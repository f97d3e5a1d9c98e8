package dev.graft.benchmarks.peers.dl4j;

import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.RowRunner;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Deeplearning4j on ND4J's native backend, in its layout: channels first. */
public final class Dl4jEngine implements Engine {
    public static void main(String[] args) {
        Nd4j.setDefaultDataTypes(DataType.FLOAT, DataType.FLOAT);
        RowRunner.run(new Dl4jEngine(), args);
        System.out.flush();
        System.exit(0);     // its threads would keep the process
    }

    @Override
    public String describe() {
        return "Deeplearning4j " + System.getProperty("bench.version") + " (oneDNN, OpenBLAS), NCHW";
    }

    @Override
    public Prepared prepare(Work work) {
        return switch (work) {
            case Work.Gemm g -> gemm(g);
            case Work.Net n -> Dl4jNetwork.prepare(n);
            case Work.Conv c -> throw new IllegalArgumentException(c.name() + " is not compared here");
            case Work.Op o -> throw new IllegalArgumentException(o.name() + " is not compared here");
            case Work.Bert b -> throw new IllegalArgumentException(b.name() + " is not compared here");
        };
    }

    static INDArray array(float[] values, int... dims) {
        long[] shape = new long[dims.length];
        for (int i = 0; i < dims.length; i++) {
            shape[i] = dims[i];
        }
        return Nd4j.create(values, shape, 'c');
    }

    /** [N, H, W, C] values as an [N, C, H, W] array. */
    static INDArray image(float[] values, int... d) {
        return array(Values.channelsFirst(values, d[0], d[1], d[2], d[3]), d[0], d[3], d[1], d[2]);
    }

    /** In row-major order. */
    static float[] values(INDArray a) {
        return a.dup('c').data().asFloat();
    }

    private static Prepared gemm(Work.Gemm g) {
        if (g.form() != Work.Gemm.Form.NN) {
            throw new IllegalArgumentException(g.name() + " is not compared here");
        }
        INDArray a = array(Values.of("a", g.a()), g.a());
        INDArray b = array(Values.of("b", g.b()), g.b());
        INDArray c = Nd4j.create(DataType.FLOAT, g.m(), g.n());
        return new Prepared() {
            @Override
            public void run() {
                a.mmuli(b, c);
            }

            @Override
            public float[] result() {
                run();
                return values(c);
            }
        };
    }
}
