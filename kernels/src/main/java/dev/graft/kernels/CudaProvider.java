package dev.graft.kernels;

import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.load.Doctor;
import dev.graft.kernels.load.LibraryReport;
import dev.graft.kernels.load.NativeLoader;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.BackendProvider;

/** Opens NVIDIA GPUs. */
public final class CudaProvider implements BackendProvider {
    @Override
    public Device.Kind kind() {
        return Device.Kind.CUDA;
    }

    @Override
    public String diagnosis() {
        return Doctor.diagnose();
    }

    @Override
    public Backend open(Device device) {
        LibraryReport report = NativeLoader.load();
        String problem = report.problem();
        if (problem != null) {
            throw new GraftException(problem);
        }
        try {
            Driver.init();
            int count = Driver.deviceCount();
            if (device.index() >= count) {
                throw new GraftException(device + ": this machine has " + count
                        + (count == 1 ? " CUDA device" : " CUDA devices")
                        + ": use cuda:0" + (count > 2 ? " to cuda:" + (count - 1) : count == 2 ? " or cuda:1" : ""));
            }
            return new CudaBackend(new CudaDevice(device.index()));
        } catch (CudaException e) {
            throw new GraftException("no CUDA device can be used: " + e.getMessage() + ": see what graft doctor says", e);
        }
    }
}
