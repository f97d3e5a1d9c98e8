// A libcuda.so.1 that runs on the host: the functions of the driver that Graft calls, with the checks that a device makes
// and some that it does not. Signatures and numbers as in cuda.h; CUresult is int, handles are pointers.
#include "control.h"

extern "C" {
// ------------------------------------------------------------------ devices and contexts

int cuInit(unsigned) {
    auto g = locked();
    if (device().settings.devices == 0) return 100;
    initialised = true;
    catchFaults();
    return 0;
}
int cuDriverGetVersion(int *v) {
    *v = device().settings.driverVersion;
    return 0;
}
int cuDeviceGetCount(int *n) {
    if (!initialised) return 3;
    *n = device().settings.devices;
    return 0;
}
int cuDeviceGet(int *d, int i) {
    if (!initialised) return 3;
    if (i < 0 || i >= device().settings.devices) return 101;
    *d = i;
    return 0;
}
int cuDeviceGetName(char *s, int n, int) {
    std::snprintf(s, n, "Graft emulated device");
    return 0;
}
int cuDeviceTotalMem_v2(size_t *n, int) {
    *n = device().settings.totalMemory;
    return 0;
}
int cuDeviceGetAttribute(int *v, int a, int) {
    *v = attribute(a);
    return 0;
}
int cuDeviceComputeCapability(int *major, int *minor, int) {
    *major = attribute(75);
    *minor = attribute(76);
    return 0;
}
int cuDeviceGetPCIBusId(char *s, int n, int) {
    std::snprintf(s, n, "0000:00:00.0");
    return 0;
}
int cuDevicePrimaryCtxRetain(P *c, int) {
    auto g = locked();
    if (!initialised) return 3;
    if (device().broken) return device().broken;
    retained++;
    *c = &context;
    return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    auto g = locked();
    if (!retained) return 201;
    retained--;
    return 0;
}
int cuDevicePrimaryCtxGetState(int, unsigned *flags, int *on) {
    *flags = 0;
    *on = retained > 0;
    return 0;
}
int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return 0; }
int cuCtxSetCurrent(P c) {
    if (!initialised) return 3;
    if (c && c != &context) return 201;
    current = c;
    return 0;
}
int cuCtxGetCurrent(P *c) {
    if (!initialised) return 3;
    *c = current;
    return 0;
}
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
int cuCtxGetDevice(int *d) {
    if (!current) return 201;
    *d = 0;
    return 0;
}
int cuCtxGetApiVersion(P, unsigned *v) {
    *v = 3020;
    return 0;
}
int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    *least = 0;
    *greatest = -5;
    return 0;
}
int cuCtxSetLimit(int, size_t) {
    READY;
    return 0;
}
int cuCtxSynchronize() {
    READY;
    if (int e = unsafeInCapture("cuCtxSynchronize", true)) return e;
    return synchronise("cuCtxSynchronize");
}
int cuGetErrorName(int e, const char **s) {
    auto n = named(e);
    *s = n ? n->name : nullptr;
    return n ? 0 : 1;
}
int cuGetErrorString(int e, const char **s) {
    auto n = named(e);
    *s = n ? n->text : nullptr;
    return n ? 0 : 1;
}
int cuProfilerStart() { return 0; }
int cuProfilerStop() { return 0; }

// ------------------------------------------------------------------ memory

int cuMemGetInfo_v2(size_t *free, size_t *total) {
    READY;
    *total = device().settings.totalMemory;
    *free = *total - std::min<uint64_t>(*total, device().used);
    return 0;
}
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
    if (int e = drainAll()) return e; // freeing waits for the device
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
int cuMemHostRegister_v2(P p, size_t n, unsigned) {
    READY;
    if (!p || !n) return 1;
    if (memory().pinned(p, n)) return 712;
    memory().host[uintptr_t(p)] = n;
    return 0;
}
int cuMemHostUnregister(P p) {
    READY;
    if (int e = drainAll()) return e;
    return memory().host.erase(uintptr_t(p)) ? 0 : 713;
}
int cuMemHostGetDevicePointer_v2(D *d, P p, unsigned) {
    READY;
    if (!memory().pinned(p)) return 1;
    *d = D(p);
    return 0;
}

#define SYNCHRONOUS(call) \
    READY; \
    if (int e = implicitCapture(streams().legacy)) return e; \
    if (int e = unsafeInCapture(call, true)) return e; \
    if (int e = drainAll(true)) return e
int cuMemcpyHtoD_v2(D d, const void *h, size_t n) {
    SYNCHRONOUS("cuMemcpyHtoD");
    if (int e = outside("cuMemcpyHtoD", d, n, "destination")) return e;
    return copy(P(d), h, n);
}
int cuMemcpyDtoH_v2(P h, D d, size_t n) {
    SYNCHRONOUS("cuMemcpyDtoH");
    if (int e = outside("cuMemcpyDtoH", d, n, "source")) return e;
    return copy(h, P(d), n);
}
int cuMemcpyDtoD_v2(D d, D s, size_t n) {
    SYNCHRONOUS("cuMemcpyDtoD");
    if (int e = outside("cuMemcpyDtoD", d, n, "destination")) return e;
    if (int e = outside("cuMemcpyDtoD", s, n, "source")) return e;
    return copy(P(d), P(s), n);
}
int cuMemcpyHtoDAsync_v2(D d, const void *h, size_t n, P s) {
    STREAM(s);
    return transfer(*st, "cuMemcpyHtoDAsync", P(d), true, h, false, n);
}
int cuMemcpyDtoHAsync_v2(P h, D d, size_t n, P s) {
    STREAM(s);
    return transfer(*st, "cuMemcpyDtoHAsync", h, false, P(d), true, n);
}
int cuMemcpyDtoDAsync_v2(D d, D from, size_t n, P s) {
    STREAM(s);
    return transfer(*st, "cuMemcpyDtoDAsync", P(d), true, P(from), true, n);
}
int cuMemcpyAsync(D d, D from, size_t n, P s) {
    STREAM(s);
    return transfer(*st, "cuMemcpyAsync", P(d), memory().onDevice(P(d)), P(from), memory().onDevice(P(from)), n);
}
int cuMemsetD8Async(D d, unsigned char v, size_t n, P s) {
    STREAM(s);
    return fill(*st, "cuMemsetD8Async", d, v, n);
}
int cuMemsetD16Async(D d, unsigned short v, size_t n, P s) {
    STREAM(s);
    return fill(*st, "cuMemsetD16Async", d, v, n);
}
int cuMemsetD32Async(D d, unsigned v, size_t n, P s) {
    STREAM(s);
    return fill(*st, "cuMemsetD32Async", d, v, n);
}
int cuMemsetD8_v2(D d, unsigned char v, size_t n) { return cuMemsetD8Async(d, v, n, nullptr); }
int cuMemsetD16_v2(D d, unsigned short v, size_t n) { return cuMemsetD16Async(d, v, n, nullptr); }
int cuMemsetD32_v2(D d, unsigned v, size_t n) { return cuMemsetD32Async(d, v, n, nullptr); }

// ------------------------------------------------------------------ streams and events

int cuStreamCreateWithPriority(P *s, unsigned flags, int priority) {
    READY;
    auto p = new Stream();
    p->flags = flags;
    p->priority = priority;
    streams().live.insert(p);
    *s = p;
    return 0;
}
int cuStreamCreate(P *s, unsigned flags) { return cuStreamCreateWithPriority(s, flags, 0); }
int cuStreamDestroy_v2(P s) {
    READY;
    auto p = static_cast<Stream *>(s);
    if (!streams().live.count(p)) return 400;
    if (p->capture) invalidate(*p->capture, "cuStreamDestroy");
    drain(*p);
    for (Event *e : streams().events)
        if (e->stream == p) e->stream = nullptr;
    streams().live.erase(p);
    delete p;
    return 0;
}
int cuStreamSynchronize(P s) {
    STREAM(s);
    if (st->capture) {
        invalidate(*st->capture, "cuStreamSynchronize");
        return 900;
    }
    if (int e = unsafeInCapture("cuStreamSynchronize", false)) return e;
    int status = st == &streams().legacy ? drainAll(true) : drain(*st);
    return status ? status : memory().verifyAll("at cuStreamSynchronize");
}
int cuStreamQuery(P s) {
    STREAM(s);
    if (st->capture) {
        invalidate(*st->capture, "cuStreamQuery");
        return 900;
    }
    return st->queue.empty() ? 0 : 600;
}
int cuStreamGetFlags(P s, unsigned *f) {
    READY;
    Stream *st = stream(s);
    if (!st) return 400;
    *f = st->flags;
    return 0;
}
int cuStreamGetPriority(P s, int *p) {
    READY;
    Stream *st = stream(s);
    if (!st) return 400;
    *p = st->priority;
    return 0;
}
int cuStreamGetCtx(P s, P *c) {
    READY;
    if (!stream(s)) return 400;
    *c = &context;
    return 0;
}
int cuStreamWaitEvent(P s, P e, unsigned) {
    STREAM(s);
    Event *ev = event(e);
    if (!ev) return 400;
    if (ev->capture && streams().captures.count(ev->capture)) {
        Capture &c = *ev->capture;
        if (st == &streams().legacy) {
            invalidate(c, "the default stream waits for it");
            return 906;
        }
        if (st->capture && st->capture != &c) {
            invalidate(c, "two captures joined");
            invalidate(*st->capture, "two captures joined");
            return 902;
        }
        st->capture = &c;
        c.recorded[st];
        if (ev->stream != st) c.joined[ev->stream] = std::max(c.joined[ev->stream], ev->position);
        return 0;
    }
    if (ev->capture) {
        device().complain("cuStreamWaitEvent: the event was last recorded in a capture that has ended");
        return 907;
    }
    if (!ev->stream) return 0;
    if (st->capture) {
        invalidate(*st->capture, "waits for work that is not captured");
        return 905;
    }
    Stream *on = ev->stream;
    uint64_t position = ev->position;
    if (!device().settings.lazy || on == st) return 0;
    return submit(*st, Kind::EVENT, "cuStreamWaitEvent",
        [=]() -> std::function<int()> { return [=] { return streams().live.count(on) ? drain(*on, position) : 0; }; });
}
int cuLaunchHostFunc(P s, void (*fn)(void *), P data) {
    STREAM(s);
    auto run = [=] {
        fn(data);
        return 0;
    };
    return submit(*st, Kind::HOST, "cuLaunchHostFunc", [=]() -> std::function<int()> { return run; });
}

int cuEventCreate(P *e, unsigned flags) {
    READY;
    auto p = new Event();
    p->flags = flags;
    streams().events.insert(p);
    *e = p;
    return 0;
}
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
        return [=] {
            if (streams().events.count(ev)) ev->time = std::chrono::steady_clock::now();
            return 0;
        };
    });
    ev->position = st->enqueued;
    return status;
}
int cuEventRecordWithFlags(P e, P s, unsigned) { return cuEventRecord(e, s); }
int cuEventSynchronize(P e) {
    READY;
    Event *ev = event(e);
    if (!ev) return 400;
    if (ev->capture && streams().captures.count(ev->capture)) {
        invalidate(*ev->capture, "cuEventSynchronize");
        return 907;
    }
    if (ev->capture) return 907;
    if (int x = unsafeInCapture("cuEventSynchronize", false)) return x;
    return ev->stream ? drain(*ev->stream, ev->position) : 0;
}
int cuEventQuery(P e) {
    READY;
    Event *ev = event(e);
    if (!ev) return 400;
    if (ev->capture && streams().captures.count(ev->capture)) {
        invalidate(*ev->capture, "cuEventQuery");
        return 907;
    }
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
int cuEventDestroy_v2(P e) {
    READY;
    auto p = static_cast<Event *>(e);
    if (!streams().events.erase(p)) return 400;
    delete p;
    return 0;
}

// ------------------------------------------------------------------ modules and launches

int cuModuleLoadData(P *m, const void *image) {
    READY;
    if (!image) return 1;
    Module *x;
    if (int e = loadModule(image, x)) return e;
    *m = x;
    return 0;
}
int cuModuleLoadDataEx(P *m, const void *image, unsigned, int *, P *) { return cuModuleLoadData(m, image); }
int cuModuleLoadFatBinary(P *m, const void *image) { return cuModuleLoadData(m, image); }
int cuModuleUnload(P m) {
    READY;
    if (int e = drainAll()) return e;
    return unloadModule(static_cast<Module *>(m));
}
int cuModuleGetFunction(P *f, P m, const char *name) {
    READY;
    auto x = static_cast<Module *>(m);
    if (!modules().live.count(x)) return 400;
    auto i = x->functions.find(name);
    if (i == x->functions.end()) return 500;
    *f = i->second.get();
    return 0;
}
#define FUNCTION(f) \
    READY; \
    auto fn = static_cast<Function *>(f); \
    if (!modules().functions.count(fn)) return 400
int cuFuncGetAttribute(int *v, int a, P f) {
    FUNCTION(f);
    switch (a) {
        case 0: *v = int(fn->kernel->maxThreads); return 0;
        case 1: *v = int(fn->staticShared); return 0;
        case 2:
        case 3:
        case 7: *v = 0; return 0;
        case 4: *v = 32; return 0; // registers: the emulation knows none
        case 5:
        case 6: *v = device().settings.capability; return 0;
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
int cuFuncSetCacheConfig(P f, int) {
    FUNCTION(f);
    return 0;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, P f, int threads, size_t dynamicBytes, unsigned) {
    FUNCTION(f);
    if (threads < 1) return 1;
    size_t shared = dynamicBytes + fn->staticShared + RESERVED_SHARED;
    bool fits = threads <= int(fn->kernel->maxThreads) && dynamicBytes <= size_t(fn->maxDynamic);
    *n = fits ? int(std::min<size_t>({32, 2048u / ((threads + 31) / 32 * 32), 228 * 1024 / shared})) : 0;
    return 0;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, P f, int threads, size_t dynamicBytes) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, threads, dynamicBytes, 0);
}
int cuLaunchKernel(P f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, P s,
    P *parameters, P *extra) {
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
    if (c->origin != st) {
        invalidate(*c, "cuStreamEndCapture on another stream than the first");
        return 903;
    }
    if (c->mode != 2 && !pthread_equal(c->thread, pthread_self())) return 908;
    int status = c->invalid ? 901 : 0;
    for (auto &r : c->recorded)
        if (r.first != st && !status && c->joined[r.first] < r.second) status = 904;
    for (Stream *t : streams().live)
        if (t->capture == c) t->capture = nullptr;
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
int cuStreamIsCapturing(P s, int *status) {
    READY;
    Stream *st = stream(s);
    if (!st) return 400;
    *status = !st->capture ? 0 : st->capture->invalid ? 2 : 1;
    return 0;
}
int cuThreadExchangeStreamCaptureMode(int *mode) {
    if (!mode || *mode < 0 || *mode > 2) return 1;
    std::swap(*mode, captureMode);
    return 0;
}
int cuGraphCreate(P *g, unsigned) {
    READY;
    auto x = new Graph();
    streams().graphs.insert(x);
    *g = x;
    return 0;
}
int cuGraphDestroy(P g) {
    READY;
    auto x = static_cast<Graph *>(g);
    if (!streams().graphs.erase(x)) return 1;
    delete x;
    return 0;
}
int cuGraphGetNodes(P g, P *nodes, size_t *n) {
    READY;
    auto x = static_cast<Graph *>(g);
    if (!streams().graphs.count(x) || !n) return 1;
    if (nodes)
        for (size_t i = 0; i < *n; i++) nodes[i] = i < x->work->size() ? &(*x->work)[i] : nullptr;
    *n = nodes ? std::min(*n, x->work->size()) : x->work->size();
    return 0;
}
int cuGraphNodeGetType(P node, int *type) {
    READY;
    *type = int(static_cast<Work *>(node)->kind);
    return 0;
}
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
int cuGraphUpload(P e, P s) {
    STREAM(s);
    return streams().executables.count(static_cast<Graph *>(e)) ? 0 : 1;
}
int cuGraphLaunch(P e, P s) {
    STREAM(s);
    auto x = static_cast<Graph *>(e);
    if (!streams().executables.count(x)) return 1;
    device().graphLaunches++;
    auto work = x->work;
    return submit(*st, Kind::KERNEL, "cuGraphLaunch", [=]() -> std::function<int()> {
        return [=] {
            for (auto &w : *work)
                if (int status = w.run()) return status;
            return 0;
        };
    });
}
int cuGraphExecDestroy(P e) {
    READY;
    auto x = static_cast<Graph *>(e);
    if (!streams().executables.erase(x)) return 1;
    delete x;
    return 0;
}
}
