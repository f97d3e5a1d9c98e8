package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.Args;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.CreateOp;

/** Constant, counting and random tensors (create.cu). */
public final class CudaCreate {
    private static final double TWO_24 = 0x1p24;

    private final CudaDevice device;

    public CudaCreate(CudaDevice device) {
        this.device = device;
    }

    /** False for random numbers of types that have none. */
    public boolean run(CreateOp op, Tensor[] in, Tensor[] out) {
        Tensor y = out[0];
        switch (op) {
            case CreateOp.Fill f -> fill(device, y, f.value());
            case CreateOp.Arange a -> kernel(y.dtype(), "arange").ptr(y).f64(a.start()).f64(a.step()).i64(y.size())
                    .launch(Launches.blocks(device, y.size(), 1), Launches.THREADS);
            case CreateOp.Random r -> {
                if (y.dtype() != DType.F32 && y.dtype() != DType.F64) {
                    return false;
                }
                random(r, y);
            }
        }
        return true;
    }

    /** All elements of {@code y}, which must begin its storage. */
    private static void fill(CudaDevice device, Tensor y, double value) {
        long bytes = y.size() * y.dtype().bytes();
        long bits = BitPattern.repeated(y.dtype(), value);
        if (bits == 0) {
            device.zero(CudaStorage.address(y), bytes);
        } else {
            device.kernel(KernelSource.of("create.cu"), "fill").args().ptr(y).i64(bits).i64(bytes)
                    .launch(Launches.blocks(device, (bytes + 15) / 16, 1), Launches.THREADS);
        }
    }

    private void random(CreateOp.Random r, Tensor y) {
        boolean single = y.dtype() == DType.F32;
        switch (r.distribution()) {
            case UNIFORM -> {
                boolean capped = r.b() > r.a();
                Args args = seeded(y, "uniform", r).f64(r.a()).f64(r.b() - r.a())
                        .f64(capped ? r.b() : Double.POSITIVE_INFINITY);
                if (single) {
                    args.f32(capped ? Math.nextDown((float) r.b()) : Float.POSITIVE_INFINITY);
                } else {
                    args.f64(capped ? Math.nextDown(r.b()) : Double.POSITIVE_INFINITY);
                }
                launch(args, y);
            }
            case BERNOULLI -> launch(seeded(y, "bernoulli", r).i32(threshold(r.a())).f64(r.b()), y);
            case NORMAL -> launch(seeded(y, "normal", r).f64(r.a()).f64(r.b()), y);
        }
    }

    /** u &lt; p for u = upper 24 bits / 2^24 where these bits are below this. */
    static int threshold(double p) {
        return (int) Math.ceil(Math.clamp(p, 0, 1) * TWO_24);
    }

    private Args seeded(Tensor y, String function, CreateOp.Random r) {
        return kernel(y.dtype(), function).ptr(y).i64(r.seed()).i64(r.stream()).ptr(device.randomShift());
    }

    private void launch(Args args, Tensor y) {
        args.i64(y.size()).launch(Launches.blocks(device, (y.size() + 3) / 4, 1), Launches.THREADS);
    }

    private Args kernel(DType type, String function) {
        KernelSource source = KernelSource.of("create.cu").define("ELEMENT", CudaTypes.of(type));
        return device.kernel(type == DType.F32 || type == DType.F64 ? source.define("RANDOM", 1) : source, function).args();
    }
}
