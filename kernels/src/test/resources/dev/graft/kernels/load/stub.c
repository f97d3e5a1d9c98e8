/*
 * Stand-ins that only say who they are, for tests of finding and loading: each is compiled with one of -DCUDA, -DCUBLAS,
 * -DNVRTC, -DCUDNN, or with none of them as a library that is merely needed by others.
 *   -DVERSION=12040  what the library gives as its version
 *   -DSTATUS=100     what cuInit returns
 *   -DDEVICES=0      what cuDeviceGetCount gives
 */
#include <stddef.h>
#include <string.h>

#ifdef CUDA
int cuInit(unsigned flags) { (void) flags; return STATUS; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuDeviceGetCount(int *count) { *count = DEVICES; return STATUS; }
int cuDeviceGet(int *device, int index) { *device = 7 + index; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
    if (device != 7) return 101;
    strncpy(name, "Stub Accelerator", (size_t) size);
    return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t) 80 << 30; return device == 7 ? 0 : 101; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? CAPABILITY / 10 : attribute == 76 ? CAPABILITY % 10 : -1;
    return device == 7 ? 0 : 101;
}
static int context;
int cuDevicePrimaryCtxRetain(void **out, int device) { *out = &context; context++; return device == 7 ? 0 : 101; }
int cuDevicePrimaryCtxRelease_v2(int device) { context--; return device == 7 ? 0 : 101; }
int cuCtxPushCurrent_v2(void *c) { return c == &context ? 0 : 201; }
int cuCtxPopCurrent_v2(void **c) { *c = &context; return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = (size_t) 60 << 30; *total = (size_t) 80 << 30; return context == 1 ? 0 : 201; }
#endif

#ifdef CUBLAS
int cublasGetProperty(int which, int *value) { *value = which == 0 ? VERSION / 1000 : which == 1 ? VERSION % 1000 / 10 : 5; return 0; }
int cublasGetVersion_v2(void *handle, int *version) { (void) handle; *version = VERSION; return 0; }
#endif

#ifdef NVRTC
int nvrtcVersion(int *major, int *minor) { *major = VERSION / 1000; *minor = VERSION % 1000 / 10; return 0; }
int nvrtcGetNumSupportedArchs(int *count) { *count = 3; return 0; }
int nvrtcGetSupportedArchs(int *all) { all[0] = 75; all[1] = 90; all[2] = 100; return 0; }
#endif

#ifdef CUDNN
size_t cudnnGetVersion(void) { return VERSION; }
#endif

int graft_stub(void) { return 1; }
