package dev.graft.benchmarks.peers.onnxruntime;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.RowRunner;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Map;

/** ONNX Runtime, inference of networks with all its graph optimisations; it folds batch norms itself. */
public final class OnnxEngine implements Engine {
    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();

    public static void main(String[] args) {
        RowRunner.run(new OnnxEngine(), args);
    }

    @Override
    public String describe() {
        return "ONNX Runtime " + System.getProperty("bench.version") + ", " + System.getProperty("bench.threads")
                + " threads, NCHW";
    }

    @Override
    public Prepared prepare(Work work) {
        if (!(work instanceof Work.Net n) || n.task() != Work.Task.INFERENCE) {
            throw new IllegalArgumentException(work.name() + " is not compared here");
        }
        try {
            OrtSession.SessionOptions o = new OrtSession.SessionOptions();
            o.setIntraOpNumThreads(Integer.getInteger("bench.threads"));
            o.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
            OrtSession session = environment.createSession(OnnxModel.of(n.net(), n.batch()), o);
            float[] images = Values.channelsFirst(ConvNet.images(n.batch()), n.batch(), 224, 224, 3);
            FloatBuffer direct = ByteBuffer.allocateDirect(4 * images.length).order(ByteOrder.nativeOrder()).asFloatBuffer();
            direct.put(images).flip();
            Map<String, OnnxTensor> in = Map.of("images", OnnxTensor.createTensor(environment, direct,
                    new long[] {n.batch(), 3, 224, 224}));
            return new Prepared() {
                @Override
                public void run() {
                    try (OrtSession.Result r = session.run(in)) {
                        r.size();
                    } catch (OrtException e) {
                        throw new IllegalStateException(e);
                    }
                }

                @Override
                public float[] result() {
                    try (OrtSession.Result r = session.run(in)) {
                        FloatBuffer b = ((OnnxTensor) r.get(0)).getFloatBuffer();
                        float[] v = new float[b.remaining()];
                        b.get(v);
                        return v;
                    } catch (OrtException e) {
                        throw new IllegalStateException(e);
                    }
                }
            };
        } catch (OrtException e) {
            throw new IllegalStateException(e);
        }
    }
}
