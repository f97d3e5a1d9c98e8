package dev.graft.nn.fake;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.MemoryReport;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.List;

/**
 * A device that computes on the CPU's backend but keeps its tensors to itself, counts what is read back, and records steps
 * as a GPU does: while a step is recorded nothing is computed and nothing can be read.
 */
public final class FakeBackend implements Backend {
    private final Device device;
    private final Backend cpu = Backends.of(Device.CPU);
    private FakeGraph recording;
    private FakeGraph rewriting;
    private long live;
    private boolean captures = true;
    int replays;
    int openGraphs;
    private int captured;
    private int launches;
    private int reads;

    FakeBackend(Device device) {
        this.device = device;
    }

    /** That of {@code device}. */
    public static FakeBackend of(Device device) {
        return (FakeBackend) Backends.of(device);
    }

    public int replays() {
        return replays;
    }

    public int captured() {
        return captured;
    }

    public int openGraphs() {
        return openGraphs;
    }

    /** Ops that were run one by one. */
    public int launches() {
        return launches;
    }

    /** How often values were read back. */
    public int reads() {
        return reads;
    }

    /** Whether steps can be recorded, for tests of devices that cannot. */
    public void captures(boolean on) {
        captures = on;
    }

    public long live() {
        return live;
    }

    void freed(long bytes) {
        live -= bytes;
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public Device device() {
        return device;
    }

    @Override
    public synchronized Storage allocate(DType dtype, long count, String label) {
        if (rewriting != null) {
            throw new GraftException("fake: memory is taken while a replay's rates are written");
        }
        live += count * dtype.bytes();
        int n = Math.toIntExact(count);
        return new FakeStorage(this, dtype, count,
                recording == null ? FakeStorage.array(dtype, n) : recording.take(dtype, n), recording);
    }

    @Override
    public boolean supports(FusedOp op) {
        return cpu.supports(op);
    }

    @Override
    public synchronized void run(Op op, Tensor[] in, Tensor[] out) {
        if (rewriting != null) {
            throw new GraftException("fake: an op runs while a replay's rates are written: " + op.name());
        }
        Context context = Context.current();
        FakeGraph.Place[] i = places(in);
        FakeGraph.Place[] o = places(out);
        FakeGraph.Work work = shift -> context.run(() -> {
            try (Scope s = Scope.open("fake")) {
                cpu.run(moved(op, shift), host(i), host(o));
            }
        });
        launch(work);
    }

    private void launch(FakeGraph.Work work) {
        if (recording != null) {
            recording.add(work);
        } else {
            launches++;
            work.launch(0);
        }
    }

    /** The op on the host, with the random numbers of another step. */
    private static Op moved(Op op, long shift) {
        return switch (op) {
            case CreateOp.Random r -> new CreateOp.Random(r.spec(), r.distribution(), r.a(), r.b(), r.seed(),
                    r.stream() + shift, Device.CPU);
            case CreateOp.Fill f -> new CreateOp.Fill(f.spec(), f.value(), Device.CPU);
            case CreateOp.Arange a -> new CreateOp.Arange(a.spec(), a.start(), a.step(), Device.CPU);
            case ElementwiseOp.Dropout d -> new ElementwiseOp.Dropout(d.p(), d.seed(), d.stream() + shift);
            default -> op;
        };
    }

    @Override
    public synchronized void update(Update update, Tensor target, Tensor[] in) {
        if (rewriting != null) {
            throw new GraftException("fake: only updateAll may change tensors in a replay");
        }
        FakeGraph.Place[] i = places(in);
        FakeGraph.Place t = FakeGraph.Place.of(target);
        launch(shift -> {
            try (Scope s = Scope.open("fake")) {
                cpu.update(update, host(t), host(i));
            }
        });
    }

    @Override
    public synchronized void updateAll(List<Change> changes, Tensor scale, double limit) {
        if (rewriting != null) {
            rewriting.rewrite(changes);
            return;
        }
        FakeGraph.Place by = scale == null ? null : FakeGraph.Place.of(scale);
        FakeGraph.Updates recorded = new FakeGraph.Updates(changes);
        if (recording != null) {
            recording.add(recorded);
        }
        launch(shift -> {
            try (Scope s = Scope.open("fake")) {
                List<Change> host = new ArrayList<>();
                for (int i = 0; i < recorded.now().size(); i++) {
                    Tensor[] t = host(recorded.places().get(i));
                    host.add(new Change(recorded.now().get(i).update(), t[0],
                            java.util.Arrays.copyOfRange(t, 1, t.length)));
                }
                cpu.updateAll(host, by == null ? null : host(by), limit);
            }
        });
    }

    @Override
    @SuppressWarnings("SuspiciousSystemArraycopy")
    public synchronized void read(Tensor source, Object array) {
        if (recording != null || rewriting != null) {
            throw new GraftException("fake: a value is read back while a step is recorded");
        }
        reads++;
        System.arraycopy(((FakeStorage) source.storage()).array(), (int) source.offset(), array, 0, (int) source.size());
    }

    @Override
    @SuppressWarnings("SuspiciousSystemArraycopy")
    public synchronized void write(Object array, int at, Tensor target) {
        if (recording != null || rewriting != null) {
            throw new GraftException("fake: values of the host are written while a step is recorded");
        }
        System.arraycopy(array, at, ((FakeStorage) target.storage()).array(), (int) target.offset(), (int) target.size());
    }

    @Override
    public boolean captures() {
        return captures;
    }

    @Override
    public synchronized StepGraph capture(Runnable step) {
        if (recording != null) {
            throw new GraftException("fake: a capture within a capture");
        }
        FakeGraph g = new FakeGraph(this);
        recording = g;
        try {
            step.run();
        } finally {
            recording = null;
        }
        captured++;
        openGraphs++;
        g.launch(0);
        return g;
    }

    void rewriting(FakeGraph g, Runnable rates) {
        rewriting = g;
        try {
            rates.run();
        } finally {
            rewriting = null;
        }
    }

    @Override
    public MemoryReport memory() {
        return Backends.of(Device.CPU).memory();
    }

    @Override
    public void limit(long bytes) {
        throw new GraftException("fake: memory has no limit");
    }

    @Override
    public void trim() {}

    @Override
    public void resetPeak() {}

    private static FakeGraph.Place[] places(Tensor[] t) {
        FakeGraph.Place[] p = new FakeGraph.Place[t.length];
        for (int i = 0; i < p.length; i++) {
            p[i] = FakeGraph.Place.of(t[i]);
        }
        return p;
    }

    private static Tensor[] host(FakeGraph.Place[] p) {
        Tensor[] t = new Tensor[p.length];
        for (int i = 0; i < t.length; i++) {
            t[i] = host(p[i]);
        }
        return t;
    }

    /** The same memory as a tensor of the CPU. */
    private static Tensor host(FakeGraph.Place p) {
        Object a = p.storage().array();
        Tensor all = Tensor.from(p.spec().dtype(), a, Shape.of(Array.getLength(a)));
        int from = Math.toIntExact(p.offset());
        return all.slice(0, from, from + Math.toIntExact(p.spec().shape().size())).reshape(p.spec().shape());
    }
}
