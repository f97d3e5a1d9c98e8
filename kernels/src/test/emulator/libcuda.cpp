// A libcuda.so.1 that runs on the host: the functions of the driver that Graft calls, with the checks that a device makes
// and some that it does not. Signatures and numbers as in cuda.h; CUresult is int, handles are pointers.
#include "checks.h"
#include "emu.h"

using namespace emu;
namespace {
using P = void *;
using D = unsigned long long;           // CUdeviceptr
bool initialised;
int retained;
char context;                           // the address is the primary context's handle
__thread void *current;                 // context of this thread
thread_local std::vector<void *> below;   // contexts under it
__thread int captureMode;               // of cuThreadExchangeStreamCaptureMode

std::unique_lock<std::recursive_mutex> locked() { return std::unique_lock(device().lock); }

/// What every call that needs a context answers first.
int ready() {
    if (!initialised) return 3;
    if (device().broken) return device().broken;
    if (!current) return 201;
    return retained ? 0 : 709;
}
#define READY auto guard = locked(); if (int e = ready()) return e

Stream *stream(P s) {
    if (s == nullptr || s == P(1) || s == P(2)) return &streams().legacy;
    auto p = static_cast<Stream *>(s);
    return streams().live.count(p) ? p : nullptr;
}
#define STREAM(s) READY; Stream *st = stream(s); if (!st) return 400; if (int e = implicitCapture(*st)) return e

void invalidate(Capture &c, const std::string &why) {
    if (!c.invalid) device().complain("capture invalidated: " + why);
    c.invalid = true;
}

/// Work on the legacy stream orders itself after every blocking stream, which a capture cannot record.
int implicitCapture(Stream &s) {
    if (&s != &streams().legacy) return 0;
    int status = 0;
    for (Capture *c : streams().captures)
        for (Stream *t : streams().live)
            if (t->capture == c && t->blocking()) { invalidate(*c, "work on the default stream"); status = 906; }
    return status;
}

/// Calls that wait, or that may, are not allowed while this thread (or, in global mode, any) captures.
int unsafeInCapture(const char *call, bool evenRelaxed) {
    int status = 0;
    for (Capture *c : streams().captures) {
        bool own = pthread_equal(c->thread, pthread_self());
        bool forbidden = evenRelaxed ? own : captureMode != 2 && (c->mode == 0 || (c->mode == 1 && own));
        if (forbidden) { invalidate(*c, call); status = 900; }
    }
    return status;
}

int synchronise(const char *call) {
    int status = drainAll();
    if (!status) status = memory().verifyAll(std::string("at ") + call);
    return status;
}

int outside(const char *call, D p, size_t n, const char *what) {
    if (n == 0 || memory().find(P(p), n) || (!memory().onDevice(P(p)) && memory().pinned(P(p), n))) return 0;
    const Allocation *a = memory().find(P(p));
    device().complain(std::string(call) + " of " + std::to_string(n) + " bytes: the " + what + " begins " + (a ? std::to_string(p - D(a->data)) + " bytes into " + Memory::name(*a)
        : "at " + memory().describe(p)));
    return 1;
}

int copy(P to, const void *from, size_t n) {
    device().copies++;
    device().copiedBytes += n;
    std::memmove(to, from, n);
    return 0;
}

/// Device ranges are looked at when the copy is asked for, and again when it runs.
int transfer(Stream &s, const char *call, P to, bool toDevice, const void *from, bool fromDevice, size_t n) {
    auto check = [=] {
        if (toDevice) if (int e = outside(call, D(to), n, "destination")) return e;
        return fromDevice ? outside(call, D(from), n, "source") : 0;
    };
    if (int e = check()) return e;
    if ((!toDevice && !to) || (!fromDevice && !from)) return n ? 1 : 0;
    if (s.capture && ((!toDevice && !memory().pinned(to, n)) || (!fromDevice && !memory().pinned(from, n)))) {
        invalidate(*s.capture, std::string(call) + " with host memory that is not page-locked");
        return 900;
    }
    bool pageable = (!fromDevice && !memory().pinned(from, n)) || (!toDevice && !memory().pinned(to, n));
    if (pageable && device().settings.lazy && !s.capture) if (int e = drain(s)) return e;    // such copies do not return before they are done
    if (!s.capture && (!device().settings.lazy || pageable)) return copy(to, from, n);
    return submit(s, Kind::MEMCPY, call, [=]() -> std::function<int()> { return [=] { int e = check(); return e ? device().breakDown(ILLEGAL_ADDRESS, "a recorded copy out of range") : copy(to, from, n); }; });
}

template <class T> int fill(Stream &s, const char *call, D p, T v, size_t n) {
    auto check = [=] { return outside(call, p, n * sizeof(T), "range"); };
    if (p % sizeof(T)) return 1;
    if (int e = check()) return e;
    auto run = [=] { device().memsets++; std::fill_n(reinterpret_cast<T *>(p), n, v); return 0; };
    if (!s.capture && !device().settings.lazy) return run();
    return submit(s, Kind::MEMSET, call, [=]() -> std::function<int()> { return [=] { int e = check(); return e ? device().breakDown(ILLEGAL_ADDRESS, "a recorded memset out of range") : run(); }; });
}

Event *event(P e) { auto p = static_cast<Event *>(e); return streams().events.count(p) ? p : nullptr; }

int attribute(int a) {
    switch (a) {
        case 1: case 2: case 3: return 1024;                    // threads of a block, its x and y
        case 4: return 64;
        case 5: return 0x7fffffff;
        case 6: case 7: return 65535;
        case 8: return STATIC_SHARED;
        case 9: return 65536;                                   // constant memory
        case 10: return 32;
        case 12: case 82: return 65536;                         // registers
        case 13: return 1980000;                                // kHz
        case 14: return 512;                                    // texture alignment
        case 16: return 2;                                      // multiprocessors: small, so that grids are
        case 19: case 31: case 41: case 95: case 115: return 1; // maps host memory, concurrent kernels, unified addresses, cooperative, pools
        case 36: return 2619000;                                // kHz
        case 37: return 5120;                                   // bits
        case 38: return 50 << 20;                               // second-level cache
        case 39: return 2048;                                   // threads of a multiprocessor
        case 40: return 2;                                      // copy engines
        case 75: return device().settings.capability / 10;
        case 76: return device().settings.capability % 10;
        case 81: return 228 * 1024;
        case 97: return ALL_SHARED;
        case 106: return 32;
        case 111: return RESERVED_SHARED;
        default: return 0;
    }
}

struct Name { int code; const char *name, *text; };
constexpr Name NAMES[] = {
    {0, "CUDA_SUCCESS", "no error"}, {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"}, {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"}, {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}, {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}, {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"}, {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}, {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}, {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"}, {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}, {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"}, {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"},
    {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"}, {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}, {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not initiated in this stream"}, {902, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would make the legacy stream depend on a capturing blocking stream"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"}, {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
    {907, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"}, {999, "CUDA_ERROR_UNKNOWN", "unknown error"}};
const Name *named(int code) { for (auto &n : NAMES) if (n.code == code) return &n; return nullptr; }
}

extern "C" {
// ------------------------------------------------------------------ devices and contexts

int cuInit(unsigned) { auto g = locked(); if (device().settings.devices == 0) return 100; initialised = true; catchFaults(); return 0; }
int cuDriverGetVersion(int *v) { *v = device().settings.driverVersion; return 0; }
int cuDeviceGetCount(int *n) { if (!initialised) return 3; *n = device().settings.devices; return 0; }
int cuDeviceGet(int *d, int i) { if (!initialised) return 3; if (i < 0 || i >= device().settings.devices) return 101; *d = i; return 0; }
int cuDeviceGetName(char *s, int n, int) { std::snprintf(s, n, "Graft emulated device"); return 0; }
int cuDeviceTotalMem_v2(size_t *n, int) { *n = device().settings.totalMemory; return 0; }
int cuDeviceGetAttribute(int *v, int a, int) { *v = attribute(a); return 0; }
int cuDeviceComputeCapability(int *major, int *minor, int) { *major = attribute(75); *minor = attribute(76); return 0; }
int cuDeviceGetPCIBusId(char *s, int n, int) { std::snprintf(s, n, "0000:00:00.0"); return 0; }
int cuDevicePrimaryCtxRetain(P *c, int) { auto g = locked(); if (!initialised) return 3; if (device().broken) return device().broken; retained++; *c = &context; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { auto g = locked(); if (!retained) return 201; retained--; return 0; }
int cuDevicePrimaryCtxGetState(int, unsigned *flags, int *on) { *flags = 0; *on = retained > 0; return 0; }
int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return 0; }
int cuCtxSetCurrent(P c) { if (!initialised) return 3; if (c && c != &context) return 201; current = c; return 0; }
int cuCtxGetCurrent(P *c) { if (!initialised) return 3; *c = current; return 0; }
int cuCtxPushCurrent_v2(P c) {
    P before = current;
    int status = cuCtxSetCurrent(c);
    if (!status) below.push_back(before);
    return status;
}
int cuCtxPopCurrent_v2(P *c) {
    if (!current) return 201;
    if (c) *c = current;
    current = below.empty() ? nullptr : below.back();
    if (!below.empty()) below.pop_back();
    return 0;
}
int cuCtxGetDevice(int *d) { if (!current) return 201; *d = 0; return 0; }
int cuCtxGetApiVersion(P, unsigned *v) { *v = 3020; return 0; }
int cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = 0; *greatest = -5; return 0; }
int cuCtxSetLimit(int, size_t) { READY; return 0; }
int cuCtxSynchronize() { READY; if (int e = unsafeInCapture("cuCtxSynchronize", true)) return e; return synchronise("cuCtxSynchronize"); }
int cuGetErrorName(int e, const char **s) { auto n = named(e); *s = n ? n->name : nullptr; return n ? 0 : 1; }
int cuGetErrorString(int e, const char **s) { auto n = named(e); *s = n ? n->text : nullptr; return n ? 0 : 1; }
int cuProfilerStart() { return 0; }
int cuProfilerStop() { return 0; }

// ------------------------------------------------------------------ memory

int cuMemGetInfo_v2(size_t *free, size_t *total) { READY; *total = device().settings.totalMemory; *free = *total - std::min<uint64_t>(*total, device().used); return 0; }
int cuMemAlloc_v2(D *d, size_t n) {
    READY;
    if (int e = unsafeInCapture("cuMemAlloc", false)) return e;
    uintptr_t p;
    if (int e = memory().allocate(n, p)) return e;
    *d = p;
    return 0;
}
int cuMemFree_v2(D d) {
    READY;
    if (!d) return 0;
    if (int e = unsafeInCapture("cuMemFree", false)) return e;
    if (int e = drainAll()) return e;                           // freeing waits for the device
    return memory().release(d);
}
int cuMemGetAddressRange_v2(D *base, size_t *n, D p) {
    READY;
    const Allocation *a = memory().find(P(p));
    if (!a) return 1;
    if (base) *base = D(a->data);
    if (n) *n = a->size;
    return 0;
}
int cuMemHostAlloc(P *p, size_t n, unsigned) {
    READY;
    if (n == 0) return 1;
    if (int e = unsafeInCapture("cuMemHostAlloc", false)) return e;
    if (posix_memalign(p, PAGE, n)) return 2;
    std::memset(*p, 0xff, n);
    memory().host[uintptr_t(*p)] = n;
    return 0;
}
int cuMemAllocHost_v2(P *p, size_t n) { return cuMemHostAlloc(p, n, 0); }
int cuMemFreeHost(P p) {
    READY;
    if (int e = unsafeInCapture("cuMemFreeHost", false)) return e;
    if (int e = drainAll()) return e;
    if (!memory().host.erase(uintptr_t(p))) return 1;
    std::free(p);
    return 0;
}
int cuMemHostRegister_v2(P p, size_t n, unsigned) { READY; if (!p || !n) return 1; if (memory().pinned(p, n)) return 712; memory().host[uintptr_t(p)] = n; return 0; }
int cuMemHostUnregister(P p) { READY; if (int e = drainAll()) return e; return memory().host.erase(uintptr_t(p)) ? 0 : 713; }
int cuMemHostGetDevicePointer_v2(D *d, P p, unsigned) { READY; if (!memory().pinned(p)) return 1; *d = D(p); return 0; }

#define SYNCHRONOUS(call) READY; if (int e = implicitCapture(streams().legacy)) return e; if (int e = unsafeInCapture(call, true)) return e; if (int e = drainAll(true)) return e
int cuMemcpyHtoD_v2(D d, const void *h, size_t n) { SYNCHRONOUS("cuMemcpyHtoD"); if (int e = outside("cuMemcpyHtoD", d, n, "destination")) return e; return copy(P(d), h, n); }
int cuMemcpyDtoH_v2(P h, D d, size_t n) { SYNCHRONOUS("cuMemcpyDtoH"); if (int e = outside("cuMemcpyDtoH", d, n, "source")) return e; return copy(h, P(d), n); }
int cuMemcpyDtoD_v2(D d, D s, size_t n) {
    SYNCHRONOUS("cuMemcpyDtoD");
    if (int e = outside("cuMemcpyDtoD", d, n, "destination")) return e;
    if (int e = outside("cuMemcpyDtoD", s, n, "source")) return e;
    return copy(P(d), P(s), n);
}
int cuMemcpyHtoDAsync_v2(D d, const void *h, size_t n, P s) { STREAM(s); return transfer(*st, "cuMemcpyHtoDAsync", P(d), true, h, false, n); }
int cuMemcpyDtoHAsync_v2(P h, D d, size_t n, P s) { STREAM(s); return transfer(*st, "cuMemcpyDtoHAsync", h, false, P(d), true, n); }
int cuMemcpyDtoDAsync_v2(D d, D from, size_t n, P s) { STREAM(s); return transfer(*st, "cuMemcpyDtoDAsync", P(d), true, P(from), true, n); }
int cuMemcpyAsync(D d, D from, size_t n, P s) { STREAM(s); return transfer(*st, "cuMemcpyAsync", P(d), memory().onDevice(P(d)), P(from), memory().onDevice(P(from)), n); }
int cuMemsetD8Async(D d, unsigned char v, size_t n, P s) { STREAM(s); return fill(*st, "cuMemsetD8Async", d, v, n); }
int cuMemsetD16Async(D d, unsigned short v, size_t n, P s) { STREAM(s); return fill(*st, "cuMemsetD16Async", d, v, n); }
int cuMemsetD32Async(D d, unsigned v, size_t n, P s) { STREAM(s); return fill(*st, "cuMemsetD32Async", d, v, n); }
int cuMemsetD8_v2(D d, unsigned char v, size_t n) { return cuMemsetD8Async(d, v, n, nullptr); }
int cuMemsetD16_v2(D d, unsigned short v, size_t n) { return cuMemsetD16Async(d, v, n, nullptr); }
int cuMemsetD32_v2(D d, unsigned v, size_t n) { return cuMemsetD32Async(d, v, n, nullptr); }

// ------------------------------------------------------------------ streams and events

int cuStreamCreateWithPriority(P *s, unsigned flags, int priority) { READY; auto p = new Stream(); p->flags = flags; p->priority = priority; streams().live.insert(p); *s = p; return 0; }
int cuStreamCreate(P *s, unsigned flags) { return cuStreamCreateWithPriority(s, flags, 0); }
int cuStreamDestroy_v2(P s) {
    READY;
    auto p = static_cast<Stream *>(s);
    if (!streams().live.count(p)) return 400;
    if (p->capture) invalidate(*p->capture, "cuStreamDestroy");
    drain(*p);
    for (Event *e : streams().events) if (e->stream == p) e->stream = nullptr;
    streams().live.erase(p);
    delete p;
    return 0;
}
int cuStreamSynchronize(P s) {
    STREAM(s);
    if (st->capture) { invalidate(*st->capture, "cuStreamSynchronize"); return 900; }
    if (int e = unsafeInCapture("cuStreamSynchronize", false)) return e;
    int status = st == &streams().legacy ? drainAll(true) : drain(*st);
    return status ? status : memory().verifyAll("at cuStreamSynchronize");
}
int cuStreamQuery(P s) {
    STREAM(s);
    if (st->capture) { invalidate(*st->capture, "cuStreamQuery"); return 900; }
    return st->queue.empty() ? 0 : 600;
}
int cuStreamGetFlags(P s, unsigned *f) { READY; Stream *st = stream(s); if (!st) return 400; *f = st->flags; return 0; }
int cuStreamGetPriority(P s, int *p) { READY; Stream *st = stream(s); if (!st) return 400; *p = st->priority; return 0; }
int cuStreamGetCtx(P s, P *c) { READY; if (!stream(s)) return 400; *c = &context; return 0; }
int cuStreamWaitEvent(P s, P e, unsigned) {
    STREAM(s);
    Event *ev = event(e);
    if (!ev) return 400;
    if (ev->capture && streams().captures.count(ev->capture)) {
        Capture &c = *ev->capture;
        if (st == &streams().legacy) { invalidate(c, "the default stream waits for it"); return 906; }
        if (st->capture && st->capture != &c) { invalidate(c, "two captures joined"); invalidate(*st->capture, "two captures joined"); return 902; }
        st->capture = &c;
        c.recorded[st];
        if (ev->stream != st) c.joined[ev->stream] = std::max(c.joined[ev->stream], ev->position);
        return 0;
    }
    if (ev->capture) { device().complain("cuStreamWaitEvent: the event was last recorded in a capture that has ended"); return 907; }
    if (!ev->stream) return 0;
    if (st->capture) { invalidate(*st->capture, "waits for work that is not captured"); return 905; }
    Stream *on = ev->stream;
    uint64_t position = ev->position;
    if (!device().settings.lazy || on == st) return 0;
    return submit(*st, Kind::EVENT, "cuStreamWaitEvent", [=]() -> std::function<int()> { return [=] { return streams().live.count(on) ? drain(*on, position) : 0; }; });
}
int cuLaunchHostFunc(P s, void (*fn)(void *), P data) {
    STREAM(s);
    auto run = [=] { fn(data); return 0; };
    return submit(*st, Kind::HOST, "cuLaunchHostFunc", [=]() -> std::function<int()> { return run; });
}

int cuEventCreate(P *e, unsigned flags) { READY; auto p = new Event(); p->flags = flags; streams().events.insert(p); *e = p; return 0; }
int cuEventRecord(P e, P s) {
    STREAM(s);
    Event *ev = event(e);
    if (!ev) return 400;
    ev->stream = st;
    ev->capture = st->capture;
    if (st->capture) {
        if (st->capture->invalid) return 901;
        ev->position = st->capture->recorded[st];
        return 0;
    }
    int status = submit(*st, Kind::EVENT, "cuEventRecord", [=]() -> std::function<int()> {
        return [=] { if (streams().events.count(ev)) ev->time = std::chrono::steady_clock::now(); return 0; };
    });
    ev->position = st->enqueued;
    return status;
}
int cuEventRecordWithFlags(P e, P s, unsigned) { return cuEventRecord(e, s); }
int cuEventSynchronize(P e) {
    READY;
    Event *ev = event(e);
    if (!ev) return 400;
    if (ev->capture && streams().captures.count(ev->capture)) { invalidate(*ev->capture, "cuEventSynchronize"); return 907; }
    if (ev->capture) return 907;
    if (int x = unsafeInCapture("cuEventSynchronize", false)) return x;
    return ev->stream ? drain(*ev->stream, ev->position) : 0;
}
int cuEventQuery(P e) {
    READY;
    Event *ev = event(e);
    if (!ev) return 400;
    if (ev->capture && streams().captures.count(ev->capture)) { invalidate(*ev->capture, "cuEventQuery"); return 907; }
    return !ev->stream || ev->stream->executed >= ev->position ? 0 : 600;
}
int cuEventElapsedTime(float *ms, P a, P b) {
    READY;
    Event *x = event(a), *y = event(b);
    if (!x || !y || (x->flags | y->flags) & 2 || !x->stream || !y->stream) return 400;
    if (x->stream->executed < x->position || y->stream->executed < y->position) return 600;
    *ms = std::chrono::duration<float, std::milli>(y->time - x->time).count();
    return 0;
}
int cuEventElapsedTime_v2(float *ms, P a, P b) { return cuEventElapsedTime(ms, a, b); }
int cuEventDestroy_v2(P e) { READY; auto p = static_cast<Event *>(e); if (!streams().events.erase(p)) return 400; delete p; return 0; }

// ------------------------------------------------------------------ modules and launches

int cuModuleLoadData(P *m, const void *image) { READY; if (!image) return 1; Module *x; if (int e = loadModule(image, x)) return e; *m = x; return 0; }
int cuModuleLoadDataEx(P *m, const void *image, unsigned, int *, P *) { return cuModuleLoadData(m, image); }
int cuModuleLoadFatBinary(P *m, const void *image) { return cuModuleLoadData(m, image); }
int cuModuleUnload(P m) { READY; if (int e = drainAll()) return e; return unloadModule(static_cast<Module *>(m)); }
int cuModuleGetFunction(P *f, P m, const char *name) {
    READY;
    auto x = static_cast<Module *>(m);
    if (!modules().live.count(x)) return 400;
    auto i = x->functions.find(name);
    if (i == x->functions.end()) return 500;
    *f = i->second.get();
    return 0;
}
#define FUNCTION(f) READY; auto fn = static_cast<Function *>(f); if (!modules().functions.count(fn)) return 400
int cuFuncGetAttribute(int *v, int a, P f) {
    FUNCTION(f);
    switch (a) {
        case 0: *v = int(fn->kernel->maxThreads); return 0;
        case 1: *v = int(fn->staticShared); return 0;
        case 2: case 3: case 7: *v = 0; return 0;
        case 4: *v = 32; return 0;                              // registers: the emulation knows none
        case 5: case 6: *v = device().settings.capability; return 0;
        case 8: *v = fn->maxDynamic; return 0;
        case 9: *v = -1; return 0;
        default: return 1;
    }
}
int cuFuncSetAttribute(P f, int a, int v) {
    FUNCTION(f);
    if (a == 9) return v >= -1 && v <= 100 ? 0 : 1;
    if (a != 8 || v < 0 || v + fn->staticShared > ALL_SHARED) return 1;
    fn->maxDynamic = v;
    return 0;
}
int cuFuncSetCacheConfig(P f, int) { FUNCTION(f); return 0; }
int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, P f, int threads, size_t dynamicBytes, unsigned) {
    FUNCTION(f);
    if (threads < 1) return 1;
    size_t shared = dynamicBytes + fn->staticShared + RESERVED_SHARED;
    bool fits = threads <= int(fn->kernel->maxThreads) && dynamicBytes <= size_t(fn->maxDynamic);
    *n = fits ? int(std::min<size_t>({32, 2048u / ((threads + 31) / 32 * 32), 228 * 1024 / shared})) : 0;
    return 0;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, P f, int threads, size_t dynamicBytes) { return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, threads, dynamicBytes, 0); }
int cuLaunchKernel(P f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, P s, P *parameters, P *extra) {
    STREAM(s);
    auto fn = static_cast<Function *>(f);
    if (!modules().functions.count(fn)) return 400;
    if (extra) return 801;
    return launchKernel(*st, fn, {gx, gy, gz}, {bx, by, bz}, shared, parameters);
}

// ------------------------------------------------------------------ capture and graphs

int cuStreamBeginCapture_v2(P s, int mode) {
    STREAM(s);
    if (st == &streams().legacy) return 900;
    if (st->capture) return 1;
    auto c = new Capture();
    c->origin = st;
    c->mode = mode;
    c->thread = pthread_self();
    c->recorded[st];
    st->capture = c;
    streams().captures.insert(c);
    return 0;
}
int cuStreamEndCapture(P s, P *graph) {
    READY;
    Stream *st = stream(s);
    if (!st) return 400;
    if (graph) *graph = nullptr;
    Capture *c = st->capture;
    if (!c) return 1;
    if (c->origin != st) { invalidate(*c, "cuStreamEndCapture on another stream than the first"); return 903; }
    if (c->mode != 2 && !pthread_equal(c->thread, pthread_self())) return 908;
    int status = c->invalid ? 901 : 0;
    for (auto &r : c->recorded) if (r.first != st && !status && c->joined[r.first] < r.second) status = 904;
    for (Stream *t : streams().live) if (t->capture == c) t->capture = nullptr;
    if (!status) {
        auto g = new Graph();
        *g->work = std::move(c->work);
        streams().graphs.insert(g);
        *graph = g;
    }
    streams().captures.erase(c);
    delete c;
    return status;
}
int cuStreamIsCapturing(P s, int *status) { READY; Stream *st = stream(s); if (!st) return 400; *status = !st->capture ? 0 : st->capture->invalid ? 2 : 1; return 0; }
int cuThreadExchangeStreamCaptureMode(int *mode) { if (!mode || *mode < 0 || *mode > 2) return 1; std::swap(*mode, captureMode); return 0; }
int cuGraphCreate(P *g, unsigned) { READY; auto x = new Graph(); streams().graphs.insert(x); *g = x; return 0; }
int cuGraphDestroy(P g) { READY; auto x = static_cast<Graph *>(g); if (!streams().graphs.erase(x)) return 1; delete x; return 0; }
int cuGraphGetNodes(P g, P *nodes, size_t *n) {
    READY;
    auto x = static_cast<Graph *>(g);
    if (!streams().graphs.count(x) || !n) return 1;
    if (nodes) for (size_t i = 0; i < *n; i++) nodes[i] = i < x->work->size() ? &(*x->work)[i] : nullptr;
    *n = nodes ? std::min(*n, x->work->size()) : x->work->size();
    return 0;
}
int cuGraphNodeGetType(P node, int *type) { READY; *type = int(static_cast<Work *>(node)->kind); return 0; }
int cuGraphInstantiateWithFlags(P *e, P g, unsigned long long) {
    READY;
    auto x = static_cast<Graph *>(g);
    if (!streams().graphs.count(x)) return 1;
    auto y = new Graph();
    *y->work = *x->work;
    streams().executables.insert(y);
    *e = y;
    return 0;
}
int cuGraphInstantiate_v2(P *e, P g, P *, char *, size_t) { return cuGraphInstantiateWithFlags(e, g, 0); }
int cuGraphUpload(P e, P s) { STREAM(s); return streams().executables.count(static_cast<Graph *>(e)) ? 0 : 1; }
int cuGraphLaunch(P e, P s) {
    STREAM(s);
    auto x = static_cast<Graph *>(e);
    if (!streams().executables.count(x)) return 1;
    device().graphLaunches++;
    auto work = x->work;
    return submit(*st, Kind::KERNEL, "cuGraphLaunch", [=]() -> std::function<int()> {
        return [=] {
            for (auto &w : *work) if (int status = w.run()) return status;
            return 0;
        };
    });
}
int cuGraphExecDestroy(P e) { READY; auto x = static_cast<Graph *>(e); if (!streams().executables.erase(x)) return 1; delete x; return 0; }

// ------------------------------------------------------------------ for the other stand-ins

int graft_emu_enqueue(void *s, const char *name, void (*fn)(void *), const void *arg, size_t size) {
    STREAM(s);
    auto run = [](const char *name, void (*fn)(void *), void *arg) {
        Launch l;
        l.function = fn;
        l.name = name;
        l.parameters = static_cast<void **>(arg);
        device().hostCalls++;
        device().launches[name]++;
        auto failing = device().settings.failLaunch.find(name);
        if (failing != device().settings.failLaunch.end()) return device().breakDown(failing->second, std::string("call of ") + name + " fails as it was told to");
        return perform(l);
    };
    return submit(*st, Kind::KERNEL, name, [=]() -> std::function<int()> {
        auto copied = std::make_shared<std::vector<std::max_align_t>>(size / sizeof(std::max_align_t) + 1);
        std::memcpy(copied->data(), arg, size);
        std::string n = name;
        return [=] { return run(n.c_str(), fn, copied->data()); };
    });
}
int graft_emu_inside(const void *p, size_t n) { auto g = locked(); return n == 0 || memory().find(p, n) || (!memory().onDevice(p) && memory().pinned(p, n)); }
int graft_emu_capturing(void *s) { auto g = locked(); Stream *st = stream(s); return st && st->capture; }
int graft_emu_broken() { auto g = locked(); return device().broken; }
void graft_emu_complain(const char *text) { auto g = locked(); device().complain(text); }

// ------------------------------------------------------------------ for the tests

/// Sets a switch: "memory", "driver", "devices", "capability", "order" (0 forward, 1 reverse, 2 random), "seed", "lazy",
/// "fail-allocation" (allocations until one fails, -1 never), "break" (every call answers this error from now on),
/// "threads" (1 or 2 host threads). Answers 0, or 1 for an unknown name.
int graft_emu_set(const char *name, long long v) {
    auto g = locked();
    auto &s = device().settings;
    std::string n = name;
    if (n == "memory") s.totalMemory = v;
    else if (n == "driver") s.driverVersion = int(v);
    else if (n == "devices") { s.devices = int(v); if (!v) initialised = false; }
    else if (n == "capability") s.capability = int(v);
    else if (n == "order") s.order = Order(v);
    else if (n == "seed") s.seed = v;
    else if (n == "lazy") { if (!v) drainAll(); s.lazy = v != 0; }
    else if (n == "fail-allocation") s.failAllocation = v;
    else if (n == "break") device().broken = int(v);
    else if (n == "threads") twoThreads = v > 1;
    else return 1;
    return 0;
}
/// Every launch of the kernel (or library call) fails with this error; 0: no longer.
void graft_emu_fail_launch(const char *kernel, int error) { auto g = locked(); if (error) device().settings.failLaunch[kernel] = error; else device().settings.failLaunch.erase(kernel); }
/// Reads a counter: "launches", "allocations", "allocated", "used", "peak", "live", "copies", "copied", "memsets", "graphs", "host-calls", "modules", "pinned", "streams", "events", "captures".
long long graft_emu_count(const char *name) {
    auto g = locked();
    Device &d = device();
    std::string n = name;
    if (n == "launches") { uint64_t sum = 0; for (auto &l : d.launches) sum += l.second; return sum; }
    if (n == "allocations") return d.allocations;
    if (n == "allocated") return d.allocatedBytes;
    if (n == "used") return d.used;
    if (n == "peak") return d.peak;
    if (n == "live") return memory().count();
    if (n == "copies") return d.copies;
    if (n == "copied") return d.copiedBytes;
    if (n == "memsets") return d.memsets;
    if (n == "graphs") return d.graphLaunches;
    if (n == "host-calls") return d.hostCalls;
    if (n == "modules") return modules().live.size();
    if (n == "pinned") return memory().host.size();
    if (n == "streams") return streams().live.size();
    if (n == "events") return streams().events.size();
    if (n == "captures") return streams().captures.size();
    return -1;
}
long long graft_emu_launches(const char *kernel) { auto g = locked(); auto i = device().launches.find(kernel); return i == device().launches.end() ? 0 : i->second; }
/// The names of what was launched, with counts, one a line; answers the length of all.
long long graft_emu_launched(char *to, long long size) {
    auto g = locked();
    std::string s;
    for (auto &l : device().launches) s += l.first + " " + std::to_string(l.second) + "\n";
    std::snprintf(to, size, "%s", s.c_str());
    return s.size();
}
/// Moves the report to `to`, one complaint a line; answers the length of all.
long long graft_emu_report(char *to, long long size) {
    auto g = locked();
    std::string s;
    for (auto &r : device().report) s += r + "\n";
    std::snprintf(to, size, "%s", s.c_str());
    if ((long long) s.size() < size) device().report.clear();
    return s.size();
}
/// A working device again, with the switches as at the start and the counters at 0; what is allocated stays.
void graft_emu_reset() {
    auto g = locked();
    Device &d = device();
    drainAll();
    d.broken = 0;
    d.settings = Settings();
    d.report.clear();
    d.launches.clear();
    d.copies = d.copiedBytes = d.graphLaunches = d.memsets = d.hostCalls = d.allocations = d.allocatedBytes = 0;
    d.peak = d.used;
    twoThreads = true;
}
}
