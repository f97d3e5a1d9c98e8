package dev.graft.tensor.cpu;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;

/** {@link NormOp} on float32. */
final class CpuNorm {
    private final BatchNorm batch;
    private final LayerNorm layer;

    CpuNorm(BatchNorm batch, LayerNorm layer) {
        this.batch = batch;
        this.layer = layer;
    }

    /** False when this is for the reference backend. */
    boolean run(NormOp op, Tensor[] in, Tensor[] out) {
        if (!F32.all(in) || in[0].size() == 0) {
            return false;
        }
        F32[] i = floats(in);
        F32[] o = floats(out);
        int c = in[0].dim(-1);
        int rows = i[0].size() / c;
        switch (op) {
            case NormOp.BatchNorm b -> batch.forward(b.eps(), i[0].array(), i[0].at(), i[1].array(), i[1].at(), i[2].array(),
                    i[2].at(), o[0].array(), o[0].at(), o[1].array(), o[1].at(), o[2].array(), o[2].at(), rows, c);
            case NormOp.LayerNorm l -> layer.forward(l.eps(), i[0].array(), i[0].at(), i[1].array(), i[1].at(), i[2].array(),
                    i[2].at(), o[0].array(), o[0].at(), o[1].array(), o[1].at(), o[2].array(), o[2].at(), rows, c);
            case NormOp.BatchNormBackward b -> batch.backward(i[0].array(), i[0].at(), i[1].array(), i[1].at(), i[2].array(),
                    i[2].at(), i[3].array(), i[3].at(), i[4].array(), i[4].at(), o[0].array(), o[0].at(), o[1].array(),
                    o[1].at(), o[2].array(), o[2].at(), rows, c);
            case NormOp.LayerNormBackward l -> layer.backward(i[0].array(), i[0].at(), i[1].array(), i[1].at(), i[2].array(),
                    i[2].at(), i[3].array(), i[3].at(), i[4].array(), i[4].at(), o[0].array(), o[0].at(), o[1].array(),
                    o[1].at(), o[2].array(), o[2].at(), rows, c);
        }
        return true;
    }

    private static F32[] floats(Tensor[] t) {
        F32[] f = new F32[t.length];
        for (int i = 0; i < t.length; i++) {
            f[i] = F32.of(t[i]);
        }
        return f;
    }
}
