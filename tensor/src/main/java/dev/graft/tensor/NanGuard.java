package dev.graft.tensor;

import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.Op;
import java.util.List;
import java.util.Locale;

/**
 * Finds where NaN or infinity comes from: the first op that makes one of finite inputs is an error that names the op, its
 * module path, and what went in. Every result is looked at, so everything is slower, and steps are not recorded as graphs.
 *
 * <pre>{@code
 * Context.current().with(new NanGuard()).run(() -> trainer.fit(train, validation));
 * }</pre>
 *
 * With float16 gradients overflow now and then and the step is skipped; the guard calls that an error too.
 */
public final class NanGuard implements Interceptor {
    @Override
    public Tensor[] intercept(Op op, Tensor[] in, Next next) {
        Tensor[] out = next.run(op, in);
        if (op instanceof CreateOp.Fill) {
            return out;         // someone wrote that value
        }
        Context plain = Context.current().withoutInterceptors();
        boolean guilty = plain.call(() -> !allFinite(checked(op, out)) && allFinite(in));
        if (guilty) {
            throw plain.call(() -> new GraftException(sentence(op, in, out)));
        }
        return out;
    }

    /** The outputs in which infinity means nothing but a fault. */
    private static Tensor[] checked(Op op, Tensor[] out) {
        return op instanceof AttentionOp.Attention ? new Tensor[] {out[0]} : out;
    }

    private static boolean allFinite(Tensor[] all) {
        for (Tensor t : all) {
            if (t.dtype().isFloat() && t.size() > 0 && !isFinite(t)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isFinite(Tensor t) {
        try (Scope scope = Scope.open("nan guard")) {
            return t.mul(0).sum().item() == 0;          // NaN and infinity times 0 are NaN, and so is a sum with one
        }
    }

    private static String sentence(Op op, Tensor[] in, Tensor[] out) {
        String path = Context.current().path();
        StringBuilder s = new StringBuilder(op.name()).append(path.isEmpty() ? "" : " in " + path)
                .append(" made values that are not finite of finite ones: ").append(describe(List.of(out)))
                .append("; it was given ").append(in.length == 0 ? "nothing" : describe(List.of(in))).append(" (").append(op)
                .append(')');
        return s.toString();
    }

    private static String describe(List<Tensor> all) {
        return String.join(" and ", all.stream().map(NanGuard::describe).toList());
    }

    /** Type, shape, and what numbers are in it. */
    private static String describe(Tensor t) {
        if (!t.dtype().isFloat() || t.size() == 0) {
            return t.spec().toString();
        }
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        long nan = 0;
        long infinite = 0;
        for (double v : t.toDoubles()) {
            if (Double.isNaN(v)) {
                nan++;
            } else if (Double.isInfinite(v)) {
                infinite++;
            } else {
                low = Math.min(low, v);
                high = Math.max(high, v);
            }
        }
        return t.spec() + (low > high ? "" : String.format(Locale.ROOT, " from %.4g to %.4g", low, high))
                + (nan == 0 ? "" : " with " + nan + " NaN") + (infinite == 0 ? "" : " with " + infinite + " infinite");
    }
}
