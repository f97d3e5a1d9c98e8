package dev.graft.pretrained;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Philox;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.reference.ReferenceBackend;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Outputs of one model with one weight file for an input that a formula gives, computed by the reference backend in float64:
 * element i of the input [1, S, S, 3] is {@link Philox}'s uniform number i of seed {@value #SEED}, stream 0, in [-2, 2), all
 * of which float32 represents exactly.
 *
 * @param sha256  of the weight file
 * @param size    S
 * @param output  what is recorded
 * @param indices elements of it
 * @param values  their values
 */
record Recording(String model, Map<String, String> options, String sha256, int size, Output output, int[] indices,
                 double[] values) {
    static final int SEED = 20_260_101;
    private static final int RECORDED = 64;
    private static final String RESOURCE = "recordings.json";

    /** Which of a network's values are compared. */
    enum Output {
        /** All of its outputs. */
        LOGITS,
        /** What its last stage gets, averaged over the picture: for weights without a head. */
        FEATURES
    }

    /** The recording for a weight file, if there is one. */
    static Optional<Recording> find(String model, Map<String, String> options, String sha256) {
        return all().stream().filter(r -> r.model.equals(model) && r.options.equals(options) && r.sha256.equals(sha256))
                .findFirst();
    }

    static List<Recording> all() {
        try (InputStream in = Recording.class.getResourceAsStream(RESOURCE)) {
            return JsonMapper.builder().build().readValue(in, new TypeReference<List<Recording>>() {});
        } catch (IOException e) {
            throw new UncheckedIOException("resource " + RESOURCE + " of this jar is damaged", e);
        }
    }

    /** The input [1, S, S, 3], row-major. */
    static float[] input(int size) {
        float[] x = new float[size * size * 3];
        TensorSpec spec = new TensorSpec(DType.F32, Shape.of(1, size, size, 3));
        Philox.fill(new CreateOp.Random(spec, CreateOp.Distribution.UNIFORM, -2, 2, SEED, 0, Device.CPU), 0, x, 0, x.length);
        return x;
    }

    /** What {@code network} makes of the input on its own device. */
    static double[] run(StagedNetwork network, int size, Output output) {
        return run(() -> {
            Tensor x = Tensor.of(input(size), 1, size, size, 3);
            return output(network, x.to(network.device()), output);
        });
    }

    private static double[] run(Supplier<Tensor> body) {
        return Context.inference().call(() -> {
            try (Scope scope = Scope.open("verify")) {
                return body.get().toDoubles();
            }
        });
    }

    private static Tensor output(StagedNetwork network, Tensor x, Output output) {
        if (output == Output.LOGITS) {
            return network.call(x);
        }
        Tensor features = network.callStages(x, 0, network.stages().size() - 1);
        return features.rank() == 4 ? features.mean(1, 2) : features;
    }

    /** The same on the reference backend, with the network's own float32 rounding between ops. */
    static double[] runReference(StagedNetwork network, int size, Output output) {
        Device device = network.device();
        network.to(Device.CPU);
        try {
            return Context.current().withCpu(new ReferenceBackend()).call(() -> run(network, size, output));
        } finally {
            network.to(device);
        }
    }

    /**
     * Makes a recording: every op in float64 by the reference backend. Slow (minutes for large networks), and it leaves
     * {@code network} with float64 parameters.
     */
    static Recording make(PretrainedModel model, String sha256) {
        StagedNetwork network = model.network();
        network.quantize(DType.F32);        // a quantised network would store what it is assigned in few bits again
        network.parameters().values().forEach(p ->
                p.assign(Scope.persistent(() -> Tensor.from(DType.F64, p.value().toDoubles(), p.shape()))));
        Output output = model.headLoaded() ? Output.LOGITS : Output.FEATURES;
        int size = model.card().inputSize();
        double[] all = Context.current().withCpu(new ReferenceBackend()).call(() -> run(() -> {
            Tensor x = Tensor.of(input(size), 1, size, size, 3).cast(DType.F64);
            return output(network, x, output);
        }));
        int[] indices = new int[Math.min(RECORDED, all.length)];
        double[] values = new double[indices.length];
        for (int i = 0; i < indices.length; i++) {
            indices[i] = (int) ((long) i * all.length / indices.length);
            values[i] = all[indices[i]];
        }
        return new Recording(model.name(), model.options(), sha256, size, output, indices, values);
    }
}
