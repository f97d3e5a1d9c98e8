package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Tables;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Changes in place. Those of a whole step take one launch for each kind of change, not one for each tensor. */
public final class CudaUpdate {
    private final CudaDevice device;

    public CudaUpdate(CudaDevice device) {
        this.device = device;
    }

    /** @return whether this was computed here */
    public boolean run(Update op, Tensor target, Tensor[] in) {
        if (device.rewriting() != null) {
            throw new GraftException(op.name()
                    + ": a captured step is replayed, in which only updateAll may change tensors");
        }
        if (op instanceof Update.Assign) {
            device.copy(CudaStorage.address(target), CudaStorage.address(in[0]), target.size() * target.dtype().bytes());
            return true;
        }
        if (!computes(target)) {
            return false;
        }
        table(List.of(new Change(op, target, in)), null, Change.NO_LIMIT, true);
        return true;
    }

    private static boolean computes(Tensor target) {
        return target.dtype() == DType.F32 || target.dtype() == DType.F64;
    }

    /** What must be told apart: changes of one group run in one launch. */
    private record Group(int wave, int kind, DType dtype) {}

    /** @return whether all were computed here; nothing has happened otherwise */
    public boolean runAll(List<Change> changes, Tensor scale, double limit) {
        Map<Storage, Integer> waves = new IdentityHashMap<>();
        Map<Group, List<Change>> groups = new LinkedHashMap<>();
        for (Change c : changes) {
            if (!computes(c.target()) || c.update() instanceof Update.Assign) {
                return false;
            }
            if (c.target().size() > 0) {
                // two changes of one tensor happen one after the other
                int wave = waves.merge(c.target().storage(), 0, (before, zero) -> before + 1);
                groups.computeIfAbsent(new Group(wave, UpdateScalars.kind(c.update()), c.target().dtype()),
                        g -> new ArrayList<>()).add(c);
            }
        }
        groups.entrySet().stream().sorted((a, b) -> Integer.compare(a.getKey().wave, b.getKey().wave))
                .forEach(e -> table(e.getValue(), scale, limit, false));
        return true;
    }

    /** @param fixed whether replays of a captured step repeat these changes as they are */
    private void table(List<Change> changes, Tensor scale, double limit, boolean fixed) {
        Tables rewriting = device.rewriting();
        if (rewriting != null) {
            ((UpdateTable) rewriting.next()).rewrite(changes, limit);
            return;
        }
        UpdateTable t = new UpdateTable(device, changes, limit);
        if (device.capturing()) {
            if (fixed) {                       // copied before the graph is launched
                device.recorded().addFixed(t);
            } else {
                device.recorded().add(t);
            }
            t.launch(scale);
        } else {
            t.upload();
            t.launch(scale);
            t.close();
        }
    }
}
