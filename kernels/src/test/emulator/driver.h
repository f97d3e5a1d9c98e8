// What the functions of libcuda.cpp share: contexts, refusals, capture rules, copies, attributes, names of errors.
#ifndef GRAFT_EMU_DRIVER_H
#define GRAFT_EMU_DRIVER_H
#include "checks.h"

using namespace emu;
namespace {
using P = void *;
using D = unsigned long long; // CUdeviceptr
bool initialised;
int retained;
char context; // the address is the primary context's handle
__thread void *current; // context of this thread
thread_local std::vector<void *> below; // contexts under it
__thread int captureMode; // of cuThreadExchangeStreamCaptureMode

std::unique_lock<std::recursive_mutex> locked() { return std::unique_lock(device().lock); }

/// What every call that needs a context answers first.
int ready() {
    if (!initialised) return 3;
    if (device().broken) return device().broken;
    if (!current) return 201;
    return retained ? 0 : 709;
}
#define READY \
    auto guard = locked(); \
    if (int e = ready()) return e

Stream *stream(P s) {
    if (s == nullptr || s == P(1) || s == P(2)) return &streams().legacy;
    auto p = static_cast<Stream *>(s);
    return streams().live.count(p) ? p : nullptr;
}
#define STREAM(s) \
    READY; \
    Stream *st = stream(s); \
    if (!st) return 400; \
    if (int e = implicitCapture(*st)) return e

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
            if (t->capture == c && t->blocking()) {
                invalidate(*c, "work on the default stream");
                status = 906;
            }
    return status;
}

/// Calls that wait, or that may, are not allowed while this thread (or, in global mode, any) captures. evenRelaxed is
/// stricter than the driver, which lets a relaxed capture read what its own work has not written yet.
int unsafeInCapture(const char *call, bool evenRelaxed) {
    int status = 0;
    for (Capture *c : streams().captures) {
        bool own = pthread_equal(c->thread, pthread_self());
        bool forbidden = (evenRelaxed && own) || (captureMode != 2 && (c->mode == 0 || (c->mode == 1 && own)));
        if (forbidden) {
            invalidate(*c, call);
            status = 900;
        }
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
    device().complain(
        std::string(call) + " of " + std::to_string(n) + " bytes: the " + what + " begins " +
        (a ? std::to_string(p - D(a->data)) + " bytes into " + Memory::name(*a) : "at " + memory().describe(p)));
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
        if (toDevice)
            if (int e = outside(call, D(to), n, "destination")) return e;
        return fromDevice ? outside(call, D(from), n, "source") : 0;
    };
    if (int e = check()) return e;
    if ((!toDevice && !to) || (!fromDevice && !from)) return n ? 1 : 0;
    if (s.capture && ((!toDevice && !memory().pinned(to, n)) || (!fromDevice && !memory().pinned(from, n)))) {
        invalidate(*s.capture, std::string(call) + " with host memory that is not page-locked");
        return 900;
    }
    bool pageable = (!fromDevice && !memory().pinned(from, n)) || (!toDevice && !memory().pinned(to, n));
    if (pageable && device().settings.lazy && !s.capture)
        if (int e = drain(s)) return e; // such copies do not return before they are done
    if (!s.capture && (!device().settings.lazy || pageable)) return copy(to, from, n);
    return submit(s, Kind::MEMCPY, call, [=]() -> std::function<int()> {
        return [=] {
            int e = check();
            return e ? device().breakDown(ILLEGAL_ADDRESS, "a recorded copy out of range") : copy(to, from, n);
        };
    });
}

template <class T> int fill(Stream &s, const char *call, D p, T v, size_t n) {
    auto check = [=] { return outside(call, p, n * sizeof(T), "range"); };
    if (p % sizeof(T)) return 1;
    if (int e = check()) return e;
    auto run = [=] {
        device().memsets++;
        std::fill_n(reinterpret_cast<T *>(p), n, v);
        return 0;
    };
    if (!s.capture && !device().settings.lazy) return run();
    return submit(s, Kind::MEMSET, call, [=]() -> std::function<int()> {
        return [=] {
            int e = check();
            return e ? device().breakDown(ILLEGAL_ADDRESS, "a recorded memset out of range") : run();
        };
    });
}

Event *event(P e) {
    auto p = static_cast<Event *>(e);
    return streams().events.count(p) ? p : nullptr;
}

int attribute(int a) {
    switch (a) {
        case 1:
        case 2:
        case 3: return 1024; // threads of a block, its x and y
        case 4: return 64;
        case 5: return 0x7fffffff;
        case 6:
        case 7: return 65535;
        case 8: return STATIC_SHARED;
        case 9: return 65536; // constant memory
        case 10: return 32;
        case 12:
        case 82: return 65536; // registers
        case 13: return 1980000; // kHz
        case 14: return 512; // texture alignment
        case 16: return 2; // multiprocessors: small, so that grids are
        case 19:
        case 31:
        case 41:
        case 95:
        case 115: return 1; // maps host memory, concurrent kernels, unified addresses, cooperative, pools
        case 36: return 2619000; // kHz
        case 37: return 5120; // bits
        case 38: return 50 << 20; // second-level cache
        case 39: return 2048; // threads of a multiprocessor
        case 40: return 2; // copy engines
        case 75: return device().settings.capability / 10;
        case 76: return device().settings.capability % 10;
        case 81: return 228 * 1024;
        case 97: return ALL_SHARED;
        case 106: return 32;
        case 111: return RESERVED_SHARED;
        default: return 0;
    }
}

struct Name {
    int code;
    const char *name, *text;
};
constexpr Name NAMES[] = {{0, "CUDA_SUCCESS", "no error"}, {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}, {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}, {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"},
    {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not initiated in this stream"},
    {902, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would make the legacy stream depend on a capturing blocking stream"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
    {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
        "operation would make the legacy stream depend on a capturing blocking stream"},
    {907, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
        "attempt to terminate a thread-local capture sequence from another thread"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"}};
const Name *named(int code) {
    for (auto &n : NAMES)
        if (n.code == code) return &n;
    return nullptr;
}
}
#endif
