package dev.graft.kernels.load;

/** The libraries of NVIDIA that the CUDA backend calls. */
public enum Component {
    /** The driver's own library; its version says which CUDA the machine can run. */
    DRIVER("NVIDIA driver", "cuda"),
    CUBLAS("cuBLAS", "cublas"),
    NVRTC("NVRTC", "nvrtc"),
    CUDNN("cuDNN", "cudnn");

    private final String title;
    private final String stem;

    Component(String title, String stem) {
        this.title = title;
        this.stem = stem;
    }

    /** NVIDIA's name of it. */
    public String title() {
        return title;
    }

    /** The file's name, such as {@code libcublas.so.13}. */
    String soname(int major) {
        return "lib" + stem + ".so." + major;
    }

    /** How to get it for a major version of CUDA. */
    String remedy(int cudaMajor) {
        return switch (this) {
            case DRIVER -> "install NVIDIA's driver";
            case CUBLAS -> "install the CUDA " + cudaMajor + " toolkit or the Python package "
                    + (cudaMajor == 12 ? "nvidia-cublas-cu12" : "nvidia-cublas") + hint();
            case NVRTC -> "install the CUDA " + cudaMajor + " toolkit or the Python package "
                    + (cudaMajor == 12 ? "nvidia-cuda-nvrtc-cu12" : "nvidia-cuda-nvrtc") + hint();
            case CUDNN -> "install cuDNN 9 for CUDA " + cudaMajor + ", for example the Python package nvidia-cudnn-cu"
                    + cudaMajor + hint();
        };
    }

    private static String hint() {
        return ", or name its folder by " + SearchPath.VARIABLE;
    }
}
