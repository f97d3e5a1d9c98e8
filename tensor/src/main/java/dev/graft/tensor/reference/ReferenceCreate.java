package dev.graft.tensor.reference;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Philox;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.CreateOp;
import java.util.Arrays;

/** Tensors from nothing. */
final class ReferenceCreate {
    private ReferenceCreate() {}

    static void run(CreateOp op, Tensor out) {
        double[] v = new double[Math.toIntExact(out.size())];
        switch (op) {
            case CreateOp.Fill f -> {
                Arrays.fill(v, f.value());
                Elements.store(v, out);
            }
            case CreateOp.Arange a -> {
                for (int i = 0; i < v.length; i++) {
                    v[i] = a.start() + i * a.step();
                }
                Elements.store(v, out);
            }
            case CreateOp.Random r -> random(r, out);
        }
    }

    private static void random(CreateOp.Random op, Tensor out) {
        int n = Math.toIntExact(out.size());
        int at = Math.toIntExact(out.offset());
        switch (out.dtype()) {
            case F32 -> Philox.fill(op, 0, out.host().floats(), at, n);
            case F64 -> Philox.fill(op, 0, out.host().doubles(), at, n);
            case F16, BF16, I8, I16, I32, I64, U8, BOOL ->
                    throw new GraftException("random numbers are float32 or float64, not " + out.dtype()
                            + ": cast them afterwards");
        }
    }
}
