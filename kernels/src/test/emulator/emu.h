// What the emulated libcuda offers to the other stand-ins (libcublas, libcudnn) besides the driver's own functions.
//
// A library function that computes on the device checks its arguments, packs everything that the computation needs into a
// trivially copyable struct and hands it over:
//
//     struct Gemm { const float *a, *b; float *c; int m, n, k; };
//     static void gemm(void *p) { Gemm &g = *static_cast<Gemm *>(p); ... }
//     cublasStatus_t cublasSgemm(...) {
//         ...
//         Gemm g{...};
//         return graft_emu_enqueue(stream, "cublasSgemm", gemm, &g, sizeof g) ? 13 : 0;
//     }
//
// The struct is copied during the call. fn runs at once, or later (a stream that is being captured records it, a stream in
// lazy order runs it when somebody waits for it), or many times (a graph that is replayed), so it must read its inputs by
// device addresses and hold no pointer into the caller's stack. fn runs on a stack of 256 KiB; an access outside device
// memory in it is reported like that of a kernel. It must not throw, and must own no memory that a fault would leak.
#ifndef GRAFT_EMU_H
#define GRAFT_EMU_H
#include <cstddef>

extern "C" {
/// Runs fn(copy of arg) in the order of the stream. Answers a CUresult: 0, or the error of the launch (700, 719, 900, ...).
int graft_emu_enqueue(void *stream, const char *name, void (*fn)(void *), const void *arg, size_t size);

/// Whether [p, p + bytes) lies inside one live device allocation (or pinned host memory). 0 bytes are always inside.
int graft_emu_inside(const void *p, size_t bytes);

/// Whether the stream is being captured: no timing runs, no host reads, no synchronisation.
int graft_emu_capturing(void *stream);

/// 0, or the error that every call answers since the context broke (700, 719, ...).
int graft_emu_broken();

/// Adds a line to the report that the tests read (graft_emu_report).
void graft_emu_complain(const char *text);
}
#endif
