/**
 * From nothing to loaded native libraries: {@link dev.graft.kernels.load.NativeLoader} finds the driver, cuBLAS, NVRTC
 * and cuDNN of this machine, all for one major version of CUDA, fits JCuda's libraries to them and says in a
 * {@link dev.graft.kernels.load.LibraryReport} what is there, what is missing and what to do.
 */
package dev.graft.kernels.load;
