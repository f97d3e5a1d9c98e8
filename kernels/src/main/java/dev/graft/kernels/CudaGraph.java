package dev.graft.kernels;

import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.memory.Pool;
import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.backend.StepGraph;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;

/**
 * A step recorded by stream capture. Its tensors live in a pool that nothing else uses while the graph is open. What changes
 * from replay to replay lies in device memory: the shift of the random numbers' stream, and the tables of the updates.
 */
final class CudaGraph implements StepGraph {
    private final CudaDevice device;
    private final Pool pool;
    private final long seed;
    private final long stream;
    private final Tables tables = new Tables();
    private CUgraph graph;
    private CUgraphExec exec;
    private int launches;

    private CudaGraph(CudaDevice device, Pool pool, RandomStream random) {
        this.device = device;
        this.pool = pool;
        this.seed = random.seed();
        this.stream = random.fork().next();
    }

    static CudaGraph record(CudaDevice device, Runnable step) {
        if (device.capturing()) {
            throw new NotCapturable("another capture is under way on " + device.device());
        }
        device.flush();
        Pool pool = device.beginPool("graph");
        CudaGraph g = new CudaGraph(device, pool, Context.current().random());
        boolean done = false;
        device.recording(g);
        try {
            Driver.beginCapture(device.cuStream());
            try {
                step.run();
                device.flush();
                g.graph = Driver.endCapture(device.cuStream());
            } catch (CudaException e) {
                abandon(device);
                if (e.sticky()) {
                    throw e;
                }
                throw new NotCapturable(e.getMessage());
            } catch (RuntimeException | Error e) {
                abandon(device);
                throw e;
            }
            g.launches = Driver.nodes(g.graph);
            g.exec = Driver.instantiate(g.graph);
            done = true;
        } finally {
            device.discard();
            device.recording(null);
            device.allocator().endPool();
            if (!done) {
                g.close();
            }
        }
        g.tables.begun();
        Driver.launch(g.exec, device.cuStream());   // capture only recorded; the step itself takes place now
        return g;
    }

    /** Ends a capture that failed; the driver answers with an error, which has been told by then. */
    private static void abandon(CudaDevice device) {
        try {
            Driver.destroy(Driver.endCapture(device.cuStream()));
        } catch (CudaException e) {
            System.getLogger(CudaGraph.class.getName()).log(System.Logger.Level.DEBUG, "capture abandoned: {0}",
                    e.getMessage());
        }
    }

    @Override
    public void replay(RandomStream random, Runnable updates) {
        device.locked(() -> {
            if (exec == null) {
                throw new GraftException("this captured step has been closed");
            }
            if (random.seed() != seed) {
                throw new GraftException("a captured step was recorded with seed " + seed + " and cannot be replayed with "
                        + random.seed());
            }
        });
        synchronized (device) {
            device.locked(() -> {
                device.flush();
                rewrite(updates);
            });
            device.locked(() -> {
                long shift = random.fork().next() - stream;
                Driver.fillInts(device.randomShift(), (int) shift, 1, device.cuStream());
                Driver.fillInts(device.randomShift() + 4, (int) (shift >>> 32), 1, device.cuStream());
                Driver.launch(exec, device.cuStream());
                Driver.fillInts(device.randomShift(), 0, 2, device.cuStream());
            });
        }
    }

    private void rewrite(Runnable updates) {
        tables.begin();
        device.rewriting(tables);
        try {
            updates.run();
        } finally {
            device.rewriting(null);
        }
        tables.end();
    }

    Tables tables() {
        return tables;
    }

    @Override
    public int launches() {
        return launches;
    }

    @Override
    public void close() {
        synchronized (device) {
            boolean usable = device.enter();
            if (exec != null && usable) {
                Driver.destroy(exec);
            }
            exec = null;
            if (graph != null && usable) {
                Driver.destroy(graph);
            }
            graph = null;
            tables.close();
            device.allocator().close(pool);
        }
    }
}
