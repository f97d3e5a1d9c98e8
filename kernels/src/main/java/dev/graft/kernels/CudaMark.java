package dev.graft.kernels;

import dev.graft.kernels.driver.Driver;
import dev.graft.tensor.backend.Mark;
import java.lang.ref.Cleaner;
import jcuda.driver.CUevent;

/** An event on the compute stream. */
final class CudaMark implements Mark {
    private static final Cleaner CLEANER = Cleaner.create();

    private final CudaDevice device;
    private final CUevent event;

    CudaMark(CudaDevice device) {
        this.device = device;
        device.notRecording("a step is timed");
        device.flush();
        event = Driver.event(true);
        Driver.record(event, device.cuStream());
        CUevent e = event;
        CLEANER.register(this, () -> device.locked(() -> Driver.destroy(e)));
    }

    @Override
    public double microsTo(Mark later) {
        CUevent to = ((CudaMark) later).event;
        return device.locked(() -> {
            Driver.synchronize(to);
            return 1e3 * Driver.elapsed(event, to);
        });
    }
}
