// A stand-in for libcublasLt.so.13: it is only looked for and loaded, never called, by cuDNN and by the loader.
#include <cstddef>

extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() { return 130000; }
extern "C" __attribute__((visibility("default"))) size_t cublasLtGetCudartVersion() { return 13000; }
