package dev.graft.kernels.ops;

import static jcuda.jcudnn.cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS;
import static jcuda.jcudnn.cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS;
import static jcuda.jcudnn.cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_WORKSPACE;
import static jcuda.jcudnn.cudnnBackendAttributeType.CUDNN_TYPE_INT64;
import static jcuda.jcudnn.cudnnBackendAttributeType.CUDNN_TYPE_VOID_PTR;
import static jcuda.jcudnn.cudnnBackendDescriptorType.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;

import dev.graft.kernels.driver.Cudnn;
import dev.graft.kernels.driver.Cudnn.Descriptor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An execution plan of cuDNN's graph API. Addresses go in by a variant pack, which cannot be changed once it is finished.
 * In a steady step the allocator hands out the same addresses again, so the packs of the last calls are kept and found by
 * them.
 */
final class GraphPlan implements ConvPlan {
    private static final int PACKS = 32;

    private final ConvGraph graph;
    private final Cudnn cudnn;
    private final Descriptor plan;
    private final long workspace;
    private final long[] names;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment room = arena.allocate(64, 16);
    private final Descriptor[] packs = new Descriptor[PACKS];
    private final long[][] addresses = new long[PACKS][];
    private int next;

    GraphPlan(ConvGraph graph, ConvGraph.Engine engine) {
        this.graph = graph.retain();
        this.cudnn = graph.cudnn();
        this.names = graph.names();
        Descriptor made = null;
        boolean done = false;
        try {
            made = graph.plan(engine);
            workspace = graph.workspace(made);
            done = true;
        } finally {
            if (!done) {
                if (made != null) {
                    cudnn.destroy(made);
                }
                arena.close();
                graph.release();
            }
        }
        plan = made;
    }

    @Override
    public long workspace() {
        return workspace;
    }

    @Override
    public void run(long x, long w, long y, long bias, long residual, long workspace) {
        cudnn.execute(plan, pack(x, w, y, bias, residual, workspace));
    }

    private Descriptor pack(long x, long w, long y, long bias, long residual, long workspace) {
        for (int i = 0; i < PACKS && packs[i] != null; i++) {
            long[] a = addresses[i];
            if (a[0] == x && a[1] == w && a[2] == y && a[3] == bias && a[4] == residual && a[5] == workspace) {
                return packs[i];
            }
        }
        long[] a = {x, w, y, bias, residual, workspace};
        Descriptor pack = cudnn.create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
        boolean done = false;
        try {
            MemorySegment.copy(names, 0, room, ValueLayout.JAVA_LONG, 0, names.length);
            cudnn.set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, names.length, room);
            MemorySegment.copy(a, 0, room, ValueLayout.JAVA_LONG, 0, names.length);
            cudnn.set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, names.length, room);
            room.set(ValueLayout.JAVA_LONG, 0, workspace);
            cudnn.set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, room);
            cudnn.finish(pack);
            done = true;
        } finally {
            if (!done) {
                cudnn.destroy(pack);
            }
        }
        if (packs[next] != null) {
            cudnn.destroy(packs[next]);
        }
        packs[next] = pack;
        addresses[next] = a;
        next = (next + 1) % PACKS;
        return pack;
    }

    @Override
    public void close() {
        for (Descriptor d : packs) {
            if (d != null) {
                cudnn.destroy(d);
            }
        }
        cudnn.destroy(plan);
        arena.close();
        graph.release();
    }
}
