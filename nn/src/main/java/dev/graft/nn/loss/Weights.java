package dev.graft.nn.loss;

import dev.graft.tensor.CapturedStep;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Weights of a loss, numbers in its record, as tensors: sent to a device once, not in every step. */
final class Weights {
    private static final int KEPT = 16;
    private static final Map<Key, Tensor> MADE = new LinkedHashMap<>(16, 0.75f, true);

    private record Key(List<Double> values, DType dtype, Device device) {}

    private Weights() {}

    /** [n], of the dtype and on the device of {@code like}. */
    static Tensor of(List<Double> values, Tensor like) {
        Key key = new Key(values, like.dtype(), like.device());
        synchronized (MADE) {
            Tensor t = MADE.get(key);
            if (t != null) {
                return Scope.adopt(t.retain());
            }
        }
        Tensor made = Scope.persistent(() -> make(values, like));
        Tensor mine = Scope.adopt(made.retain());
        if (CapturedStep.isRecording()) {
            made.close();
        } else {
            keep(key, made);
        }
        return mine;
    }

    private static Tensor make(List<Double> values, Tensor like) {
        double[] v = values.stream().mapToDouble(Double::doubleValue).toArray();
        try (Scope s = Scope.open("loss weights")) {
            return s.keep(Tensor.of(v, v.length).cast(like.dtype()).to(like.device()));
        }
    }

    private static void keep(Key key, Tensor made) {
        synchronized (MADE) {
            Tensor old = MADE.put(key, made);
            if (old != null) {
                old.close();
            }
            if (MADE.size() > KEPT) {
                Key first = MADE.keySet().iterator().next();
                MADE.remove(first).close();
            }
        }
    }
}
