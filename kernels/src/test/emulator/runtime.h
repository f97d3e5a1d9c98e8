// Between the kernels (compiled into a module of their own each) and the fibers that run them (one copy, in libcuda).
#ifndef GRAFT_EMU_RUNTIME_H
#define GRAFT_EMU_RUNTIME_H
#include <cstddef>
#include <cstdint>

struct uint3 {
    unsigned x, y, z;
};

/// Who is running on this host thread.
struct graft_emu_state {
    uint3 threadIdx, blockIdx, blockDim, gridDim;
    unsigned linear; // threadIdx as one number
    unsigned dynamicBytes;
    unsigned char *dynamic; // dynamic shared memory
};

/// What the lanes of a warp show each other in one collective operation.
struct alignas(64) graft_emu_slot {
    unsigned char bytes[64];
};

/// One extern "C" __global__ function of a module; the table ends with a null name.
struct graft_emu_kernel {
    const char *name;
    void (*run)(void **parameters); // one CUDA thread
    unsigned parameters;
    const unsigned *sizes; // of each parameter, in bytes
    const bool *pointers; // which of them are pointers
    unsigned maxThreads; // of __launch_bounds__, 1024 without
};

enum graft_emu_vote { GRAFT_EMU_PLAIN, GRAFT_EMU_COUNT, GRAFT_EMU_AND, GRAFT_EMU_OR };

#pragma GCC visibility push(default) // kernels are compiled with hidden visibility
extern "C" {
extern __thread graft_emu_state graft_emu_now __attribute__((tls_model("initial-exec")));

/// Waits for the block; answers the vote over pred.
int graft_emu_barrier(int vote, int pred, const char *where);

/// Waits for the lanes of mask, each with up to 64 bytes of data; answers the 32 slots, valid until this lane's next
/// operation. Slots of lanes outside the mask hold anything.
const graft_emu_slot *graft_emu_warp(unsigned mask, const void *data, unsigned bytes, const char *where);

/// cp.async: done at the wait, poisoned until then.
void graft_emu_copy_async(void *shared, const void *global, unsigned size, unsigned bytes);
void graft_emu_copy_commit();
void graft_emu_copy_wait(int groups);

/// Ends the launch with CUDA_ERROR_LAUNCH_FAILED and this text in the report.
[[noreturn]] void graft_emu_fail(const char *text);
}
#pragma GCC visibility pop
#endif
