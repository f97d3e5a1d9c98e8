// Checks of every single memory access, for kernels that were compiled with -fsanitize=thread and some of
// -fsanitize=undefined: g++ puts a call in front of each access, and these are what it calls (not the libraries of those
// names). They find what guard pages cannot: an access outside its allocation by any distance, memory of the host, two
// threads that touch the same place of which one writes with nothing that orders them, misaligned vectors, overflow.
//
// What orders: __syncthreads the threads of a block, __syncwarp the lanes of a warp (shuffles and votes do not, says the
// CUDA Programming Guide), one launch after another. Atomics do not count as accesses. A launch in which a thread calls
// __threadfence may read what other blocks wrote: that protocol is not followed further.
#ifndef GRAFT_EMU_CHECKS_H
#define GRAFT_EMU_CHECKS_H
#include "modules.h"

namespace emu {
/// Who touched a place last. Of several readers only so much is kept as a later writer must know.
struct Touch {
    static constexpr uint16_t THREAD = 0x3ff, OTHER_BLOCKS = 0x2000, LANES = 0x4000, WARPS = 0x8000;
    uint32_t epoch;
    uint16_t warpEpoch, thread;
};
struct Cell {
    Touch write, read;
};

struct Checker {
    static constexpr size_t MODULE_SHARED = 1 << 20; // all kernels of a module together

    static Cell *map(size_t cells) {
        void *p =
            mmap(nullptr, cells * sizeof(Cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return p == MAP_FAILED ? nullptr : static_cast<Cell *>(p);
    }

    /// A cell for every byte; an access marks every fourth one that it covers.
    static Cell *global() {
        static Cell *c = map(Memory::SPACE);
        return c;
    }
    static Cell *dynamicShared() {
        static Cell *c = map(DYNAMIC);
        return c;
    }
    static Cell *staticShared() {
        static Cell *c = map(MODULE_SHARED);
        return c;
    }

    static bool fenced(const Executor &e, bool set) {
        static uint32_t launch;
        if (set) launch = e.launchEpoch;
        return launch == e.launchEpoch;
    }

    static void access(Executor &e, void *address, size_t n, bool write, bool atomic, void *pc) {
        auto a = static_cast<unsigned char *>(address);
        graft_emu_state &now = graft_emu_now;
        if (size_t(a - e.stacks) < THREADS * STACK) return;
        if (size_t(a - reinterpret_cast<unsigned char *>(&now)) < sizeof now) return;
        if (size_t(a - now.dynamic) < DYNAMIC && a < e.dynamic + DYNAMIC + PAGE) {
            if (size_t(a - now.dynamic) + n > now.dynamicBytes)
                e.fail(std::string(write ? "write to " : "read of ") + std::to_string(a - now.dynamic) + " bytes into " +
                           std::to_string(now.dynamicBytes) + " bytes of dynamic shared memory",
                    ILLEGAL_ADDRESS, pc);
            if (!atomic) touch(e, dynamicShared(), a - now.dynamic, n, write, false, a, pc);
            return;
        }
        unsigned char *shared = e.launch->sharedBytes ? e.launch->sharedAnchor() + e.launch->sharedOffset : nullptr;
        if (shared && size_t(a - shared) < e.launch->sharedBytes) {
            if (!atomic && size_t(a - shared) + n <= MODULE_SHARED)
                touch(e, staticShared(), a - shared, n, write, false, a, pc);
            return;
        }
        if (memory().onDevice(a)) {
            static const Allocation *last;
            static uint64_t version;
            if (version != memory().version || !last || a < last->data || a + n > last->data + last->size) {
                const Allocation *found = memory().find(a, n);
                if (!found)
                    e.fail(std::string(write ? "write to " : "read of ") + memory().describe(uintptr_t(a)), ILLEGAL_ADDRESS,
                        pc);
                last = found;
                version = memory().version;
            }
            if (!atomic && global()) touch(e, global(), memory().offset(a), n, write, true, a, pc);
            return;
        }
        if (size_t(a - reinterpret_cast<unsigned char *>(&e)) < sizeof e ||
            size_t(a - e.launch->image) < e.launch->imageBytes)
            return;
        if (memory().pinned(a, n)) return;
        e.fail(std::string(write ? "write to " : "read of ") + memory().describe(uintptr_t(a)), ILLEGAL_ADDRESS, pc);
    }

private:
    /// Whether nothing orders the touch before this access of another thread.
    static bool conflicts(const Executor &e, const Touch &t, bool everyBlock) {
        if (t.epoch < e.launchEpoch) return false;
        if (t.epoch < e.blockEpoch || t.thread & Touch::OTHER_BLOCKS) {
            if (everyBlock && !fenced(e, false)) return true;
            if (t.epoch < e.blockEpoch) return false;
        }
        if (t.epoch != e.epoch) return false;
        if (t.thread & Touch::WARPS) return true;
        unsigned me = graft_emu_now.linear, other = t.thread & Touch::THREAD;
        if (other >> 5 != me >> 5) return true;
        return t.warpEpoch == e.warps[me >> 5].epoch && (other != me || t.thread & Touch::LANES);
    }

    static void touch(
        Executor &e, Cell *cells, size_t at, size_t n, bool write, bool everyBlock, unsigned char *a, void *pc) {
        uint16_t me = uint16_t(graft_emu_now.linear), warp = e.warps[me >> 5].epoch;
        for (size_t i = 0; i < n; i += 4) {
            Cell &c = cells[at + i];
            if (conflicts(e, c.write, everyBlock))
                race(e, c.write, write ? "two threads write " : "a thread reads what another has written, ", a + i,
                    everyBlock, pc);
            if (write) {
                if (conflicts(e, c.read, everyBlock))
                    race(e, c.read, "a thread writes what another has read, ", a + i, everyBlock, pc);
                c.write = {e.epoch, warp, me};
                continue;
            }
            Touch &r = c.read;
            uint16_t flags =
                everyBlock && r.epoch >= e.launchEpoch && (r.epoch < e.blockEpoch || r.thread & Touch::OTHER_BLOCKS)
                    ? Touch::OTHER_BLOCKS
                    : 0;
            if (r.epoch == e.epoch) {
                unsigned other = r.thread & Touch::THREAD;
                if (r.thread & Touch::WARPS || other >> 5 != unsigned(me >> 5)) flags |= Touch::WARPS;
                else if (r.warpEpoch == warp && (other != me || r.thread & Touch::LANES)) flags |= Touch::LANES;
            }
            r = {e.epoch, warp, uint16_t(me | flags)};
        }
    }

    [[noreturn]] static void race(Executor &e, const Touch &t, const char *what, unsigned char *a, bool global, void *pc) {
        std::string place = "shared memory", who = "thread " + std::to_string(t.thread & Touch::THREAD) + " of the block";
        if (global) {
            const Allocation *x = memory().find(a);
            place = std::to_string(a - x->data) + " bytes into " + Memory::name(*x);
            if (t.epoch < e.blockEpoch) who = "a thread of another block";
        }
        e.fail("race: " + std::string(what) + place + ", with nothing that orders them; the other is " + who + "; seen",
            LAUNCH_FAILED, pc);
    }
};

inline void check(void *p, size_t n, bool write, void *pc) {
    if (active && active->checking()) Checker::access(*active, p, n, write, false, pc);
}
inline void checkAtomic(volatile void *p, size_t n, void *pc) {
    if (active && active->checking()) Checker::access(*active, const_cast<void *>(p), n, true, true, pc);
}

struct Place {
    const char *file;
    uint32_t line, column;
};
[[noreturn]] inline void undefined(const char *what, const Place *at) {
    std::string file = at->file ? at->file : "?";
    active->fail(std::string(what) + " at " + file.substr(file.rfind('/') + 1) + ":" + std::to_string(at->line) + ",");
}
}

extern "C" {
#define HERE __builtin_return_address(0)
#define ACCESS(n) \
    void __tsan_read##n(void *p) { emu::check(p, n, false, HERE); } \
    void __tsan_write##n(void *p) { emu::check(p, n, true, HERE); }
ACCESS(1)
ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)
#define UNALIGNED(n) \
    void __tsan_unaligned_read##n(void *p) { emu::check(p, n, false, HERE); } \
    void __tsan_unaligned_write##n(void *p) { emu::check(p, n, true, HERE); }
    UNALIGNED(2) UNALIGNED(4) UNALIGNED(8) UNALIGNED(16) void __tsan_read_range(void *p, size_t n) {
    emu::check(p, n, false, HERE);
}
void __tsan_write_range(void *p, size_t n) { emu::check(p, n, true, HERE); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void **, void *) {}
#define ATOMIC(bits, T) \
    T __tsan_atomic##bits##_load(const volatile T *p, int) { \
        emu::checkAtomic(const_cast<volatile T *>(p), sizeof(T), HERE); \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST); \
    } \
    void __tsan_atomic##bits##_store(volatile T *p, T v, int) { \
        emu::checkAtomic(p, sizeof(T), HERE); \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST); \
    } \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile T *p, T *e, T v, int, int) { \
        emu::checkAtomic(p, sizeof(T), HERE); \
        return __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }
ATOMIC(32, uint32_t) ATOMIC(64, uint64_t) void __tsan_atomic_thread_fence(int) {
    if (emu::active) emu::Checker::fenced(*emu::active, true);
}

#define UNDEFINED(name, text) \
    void __ubsan_handle_##name##_abort(const emu::Place *at) { emu::undefined(text, at); }
UNDEFINED(add_overflow, "a sum of signed integers overflows")
UNDEFINED(sub_overflow, "a difference of signed integers overflows")
UNDEFINED(mul_overflow, "a product of signed integers overflows")
UNDEFINED(negate_overflow, "a negation overflows")
UNDEFINED(divrem_overflow, "an integer division by zero or with overflow")
UNDEFINED(shift_out_of_bounds, "a shift by a negative number or too many bits")
UNDEFINED(out_of_bounds, "an index outside its array")
UNDEFINED(type_mismatch_v1, "a misaligned address or null pointer")
UNDEFINED(load_invalid_value, "a bool or enum that is none of its values")
UNDEFINED(vla_bound_not_positive, "an array of no or negative length")
void __ubsan_handle_builtin_unreachable(const emu::Place *at) {
    emu::undefined("what is marked unreachable is reached", at);
}
void __ubsan_handle_missing_return(const emu::Place *at) { emu::undefined("the end of a function without a return", at); }
}
#endif
