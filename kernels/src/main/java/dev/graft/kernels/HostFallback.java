package dev.graft.kernels;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import dev.graft.tensor.reference.ReferenceBackend;
import java.lang.System.Logger.Level;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/** What no kernel computes: rare types of rare ops travel to the host and back. Slow, right, and said once for each. */
final class HostFallback {
    private static final System.Logger LOG = System.getLogger(HostFallback.class.getName());

    private final Backend reference = new ReferenceBackend();
    private final Map<String, Integer> calls = Collections.synchronizedMap(new TreeMap<>());

    void run(Op op, Tensor[] in, Tensor[] out) {
        count(op.name(), in.length > 0 ? in[0].dtype() : out[0].dtype());
        try (Scope s = Scope.open("host fallback")) {
            Tensor[] x = toHost(in);
            Tensor[] y = new Tensor[out.length];
            for (int i = 0; i < y.length; i++) {
                y[i] = Tensor.fill(out[i].spec(), 0, Device.CPU);
            }
            reference.run(op, x, y);
            for (int i = 0; i < y.length; i++) {
                out[i].write(y[i].toArray());
            }
        }
    }

    void update(Update op, Tensor target, Tensor[] in) {
        count(op.name(), target.dtype());
        try (Scope s = Scope.open("host fallback")) {
            Tensor t = Tensor.from(target.dtype(), target.toArray(), target.shape());
            Tensor[] x = toHost(in);
            reference.update(op, t, x);
            target.write(t.toArray());
            for (int i = 0; i < x.length; i++) {
                in[i].write(x[i].toArray());
            }
        }
    }

    private static Tensor[] toHost(Tensor[] in) {
        Tensor[] x = new Tensor[in.length];
        for (int i = 0; i < x.length; i++) {
            x[i] = Tensor.from(in[i].dtype(), in[i].toArray(), in[i].shape());
        }
        return x;
    }

    private void count(String op, DType type) {
        String key = op + " " + type;
        if (calls.merge(key, 1, Integer::sum) == 1) {
            LOG.log(Level.INFO, "{0} has no CUDA kernel and runs on the host", key);
        }
    }

    /** How often each op and type came here. */
    Map<String, Integer> calls() {
        return calls;
    }
}
