package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.driver.Args;
import dev.graft.kernels.ops.ElementProgram.Number;
import dev.graft.kernels.ops.ElementProgram.Step;
import dev.graft.tensor.Shape;
import dev.graft.tensor.op.ElementwiseOp;
import java.util.List;

/**
 * A program with the tensors and numbers of one launch.
 *
 * @param ops     with their numbers, one for each step of the program
 * @param shape   of every output
 * @param inputs  as the program has them
 * @param outputs addresses
 */
record ElementLaunch(ElementProgram program, List<ElementwiseOp> ops, Shape shape, List<Operand> inputs,
                     List<Long> outputs) {
    private static final double TWO_24 = 0x1p24;

    /** An input in memory. */
    record Operand(long address, Shape shape) {}

    void run(CudaDevice device, Kernel kernel) {
        long n = shape.size();
        List<Operand> repeated = inputs.stream().filter(x -> x.shape().size() != n).toList();
        BroadcastAxes axes = BroadcastAxes.of(shape, repeated.stream().map(Operand::shape).toList());
        if (axes.rank() > MAX_AXES) {
            throw new IllegalStateException(axes.rank() + " axes");
        }
        Args args = kernel.args();
        outputs.forEach(args::ptr);
        inputs.forEach(x -> args.ptr(x.address()));
        numbers(device, args);
        int width = program.width();
        long groups = aligned(width, axes, repeated) ? n / width : 0;
        args.i64(n).i64(groups);
        if (!repeated.isEmpty()) {
            args.i32(axes.rank()).longs(axes.size());
            for (long[] s : axes.steps()) {
                args.longs(s);
            }
        }
        launch(device, args, n, groups);
    }

    static final int MAX_AXES = 8;

    /** Small tensors are spread over many small blocks, so that every multiprocessor has some of the work. */
    private void launch(CudaDevice device, Args args, long n, long groups) {
        int each = groups > 0 ? program.unroll() : 1;
        long items = groups > 0 ? groups : n;
        int threads = Launches.THREADS;
        while (threads > 64 && items < 2L * threads * each * device.multiprocessors()) {
            threads /= 2;
        }
        long blocks = Math.max(1, (items + (long) threads * each - 1) / ((long) threads * each));
        args.launch(Math.min(blocks, groups > 0 ? Integer.MAX_VALUE : 64L * device.multiprocessors()), threads);
    }

    private boolean aligned(int width, BroadcastAxes axes, List<Operand> repeated) {
        boolean ok = repeated.isEmpty() || axes.rank() == 1 || axes.inner() % width == 0;
        for (int i = 0; i < inputs.size(); i++) {
            Operand x = inputs.get(i);
            ok &= x.shape().size() == 1 || x.address() % Math.min(16, width * program.inputs().get(i).type().bytes()) == 0;
        }
        for (int i = 0; i < outputs.size(); i++) {
            int bytes = program.steps().get(program.outputs().get(i)).type().bytes();
            ok &= outputs.get(i) % Math.min(16, width * bytes) == 0;
        }
        return ok;
    }

    private void numbers(CudaDevice device, Args args) {
        for (int j = 0; j < ops.size(); j++) {
            Step step = program.steps().get(j);
            Number number = ElementProgram.number(step);
            if (number == null) {
                continue;
            }
            switch (number) {
                case VALUE -> value(args, step, number(ops.get(j)));
                case FRACTION -> args.f64(number(ops.get(j)));
                case ERROR_FLAG -> args.ptr(device.errorFlag());
                case DROPOUT -> {
                    ElementwiseOp.Dropout d = (ElementwiseOp.Dropout) ops.get(j);
                    args.i32((int) Math.ceil((1 - d.p()) * TWO_24));
                    value(args, step, 1 / (1 - d.p()));
                }
            }
        }
        for (ElementwiseOp op : ops) {
            if (op instanceof ElementwiseOp.Dropout d) {
                args.i64(d.seed()).i64(d.stream()).ptr(device.randomShift());
            }
        }
    }

    private static void value(Args args, Step step, double v) {
        switch (CudaTypes.computed(step.from())) {
            case "float" -> args.f32((float) v);
            case "double" -> args.f64(v);
            default -> args.i64((long) v);
        }
    }

    private static double number(ElementwiseOp op) {
        return switch (op) {
            case ElementwiseOp.Unary u -> u.a();
            case ElementwiseOp.UnaryBackward u -> u.a();
            case ElementwiseOp.BinaryScalar b -> b.value();
            case ElementwiseOp.Binary b -> throw noNumber(op);
            case ElementwiseOp.Where w -> throw noNumber(op);
            case ElementwiseOp.Cast c -> throw noNumber(op);
            case ElementwiseOp.Dropout d -> throw noNumber(op);
        };
    }

    private static IllegalStateException noNumber(ElementwiseOp op) {
        return new IllegalStateException(op.name() + " has no number");
    }
}
