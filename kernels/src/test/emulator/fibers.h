// Runs the blocks of a launch on the host: one fiber per CUDA thread that waits for others. A thread that never waits is a
// plain call, so kernels without barriers cost a call per thread; the fibers of a warp switch directly from lane to lane.
// Order: which of the runnable threads and blocks comes next is fwd, rev or random; right kernels give the same under each.
#ifndef GRAFT_EMU_FIBERS_H
#define GRAFT_EMU_FIBERS_H
#include "runtime.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>
#include <sys/mman.h>
#include <ucontext.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
#if !defined(__x86_64__)
#error "the emulated device needs an x86-64 processor"
#endif

__thread graft_emu_state graft_emu_now;

// switch: saves the callee-saved registers and the stack pointer, takes up the other stack; resume: only the second half.
extern "C" void graft_emu_switch(void **save, void *next);
extern "C" void graft_emu_resume(void *, void *next);
asm(R"(
.text
.hidden graft_emu_switch
.globl graft_emu_switch
.type graft_emu_switch,@function
graft_emu_switch:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
.hidden graft_emu_resume
.globl graft_emu_resume
graft_emu_resume:
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
.size graft_emu_switch, .-graft_emu_switch
)");

namespace emu {
enum class Order { FORWARD, REVERSE, RANDOM };
enum { OK = 0, ILLEGAL_ADDRESS = 700, MISALIGNED_ADDRESS = 716, LAUNCH_FAILED = 719 };

/// How a launch ended.
struct Outcome {
    int code = OK;
    std::string text;
    uintptr_t address = 0; // of an illegal access
    bool wrote = false;
    void *pc = nullptr; // where a checked kernel was
};

/// One launch. A host function of a library stand-in is a launch of one thread with function instead of kernel.
struct Launch {
    const graft_emu_kernel *kernel = nullptr;
    void (*function)(void *) = nullptr;
    const char *name = "";
    uint3 grid{1, 1, 1}, block{1, 1, 1};
    unsigned dynamicBytes = 0;
    void **parameters = nullptr;
    unsigned char *(*sharedAnchor)() = nullptr; // somewhere in this host thread's copy of the module's static shared memory
    ptrdiff_t sharedOffset = 0; // from there to its beginning
    size_t sharedBytes = 0;
    const unsigned char *image = nullptr; // the module's memory
    size_t imageBytes = 0;
    bool checked = false; // compiled with calls for every access, see checks.h
    Order order = Order::FORWARD;
    uint64_t seed = 0;

    std::atomic<uint64_t> next{0}; // the next block to run
    std::atomic<bool> failed{false};
    std::mutex lock;
    Outcome outcome;

    uint64_t blocks() const { return uint64_t(grid.x) * grid.y * grid.z; }
};

constexpr size_t PAGE = 4096, STACK = 64 * 1024, HOST_STACK = 256 * 1024, DYNAMIC = 228 * 1024;
constexpr unsigned THREADS = 1024;

inline unsigned char *reserve(size_t bytes) {
    void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        std::fprintf(stderr, "emulated device: no memory for stacks\n");
        std::abort();
    }
    return static_cast<unsigned char *>(p);
}

struct Copy {
    void *shared;
    const void *global;
    unsigned size, bytes, group;
};

enum State : uint8_t { NEW, READY, AT_BLOCK, AT_WARP, DONE };

struct Lane {
    void *sp;
    const char *where;
    const graft_emu_slot *result;
    std::vector<Copy> copies;
    uint3 tid;
    unsigned mask, group, bytes;
    int stack, pred;
    State state;
    uint8_t parity;
};

struct Warp {
    unsigned exists, ready, atWarp, atBlock, done;
    uint16_t epoch; // counts __syncwarp
    graft_emu_slot slots[3][32];
};

class Executor;
inline __thread Executor *active __attribute__((tls_model("initial-exec"))); // set while this host thread is in a kernel

/// Runs blocks on one host thread.
class Executor {
public:
    ~Executor() {
        munmap(stacks, THREADS * STACK);
        munmap(hostStack, HOST_STACK);
        munmap(dynamic, DYNAMIC + PAGE);
    }

    /// Runs blocks of l until there are none left, or one failed; at most `patience` (then false: work is left).
    bool run(Launch &l, std::chrono::nanoseconds patience) {
        begin(l);
        auto start = std::chrono::steady_clock::now();
        uint64_t total = l.blocks();
        bool all = true;
        for (uint64_t i; !l.failed && (i = l.next++) < total;) {
            uint64_t b = l.order == Order::FORWARD   ? i
                         : l.order == Order::REVERSE ? total - 1 - i
                                                     : (i * stride + offset) % total;
            graft_emu_now.blockIdx = {
                unsigned(b % l.grid.x), unsigned(b / l.grid.x % l.grid.y), unsigned(b / l.grid.x / l.grid.y)};
            block();
            if (fault.code) {
                std::lock_guard<std::mutex> g(l.lock);
                if (!l.failed) {
                    l.outcome = std::move(fault);
                    l.failed = true;
                }
                fault = {};
            }
            if (l.next < total && std::chrono::steady_clock::now() - start > patience) {
                all = false;
                break;
            }
        }
        active = nullptr;
        return all;
    }

    int barrier(int vote, int pred, const char *where) {
        Lane &me = *lane;
        Warp &w = warps[graft_emu_now.linear >> 5];
        me.state = AT_BLOCK;
        me.pred = pred;
        me.where = where;
        w.atBlock |= 1u << (graft_emu_now.linear & 31);
        waiting++;
        yield(me);
        return vote == GRAFT_EMU_COUNT ? count : vote == GRAFT_EMU_AND ? conjunction : disjunction;
    }

    const graft_emu_slot *warp(unsigned mask, const void *data, unsigned bytes, const char *where) {
        Lane &me = *lane;
        unsigned n = graft_emu_now.linear & 31;
        Warp &w = warps[graft_emu_now.linear >> 5];
        if (!(mask >> n & 1)) fail(std::string(where) + ": the calling lane is not in its own mask");
        std::memcpy(w.slots[me.parity][n].bytes, data, bytes);
        me.state = AT_WARP;
        me.mask = mask;
        me.where = where;
        me.bytes = bytes;
        w.atWarp |= 1u << n;
        yield(me);
        return me.result;
    }

    Lane &current() { return *lane; }
    bool checking() const { return launch->checked; }

    [[noreturn]] void fail(const std::string &text, int code = LAUNCH_FAILED, void *pc = nullptr) {
        fault.code = code;
        fault.pc = pc;
        fault.text = text + at();
        graft_emu_resume(nullptr, mainSp);
        __builtin_unreachable();
    }

    /// In the signal handler: the launch fails, and the host thread goes on where the block was started.
    void interrupt(int signal, siginfo_t *info, ucontext_t *context) {
        auto address = reinterpret_cast<uintptr_t>(info->si_addr);
        auto stack = reinterpret_cast<uintptr_t>(launch->function ? hostStack : stacks + lane->stack * STACK);
        fault.code = ILLEGAL_ADDRESS;
        fault.pc = reinterpret_cast<void *>(context->uc_mcontext.gregs[REG_RIP] + 1);
        fault.address = address | (address == 0);
        fault.wrote = context->uc_mcontext.gregs[REG_ERR] & 2;
        if (signal == SIGFPE) {
            fault.code = LAUNCH_FAILED;
            fault.text = "an integer division by zero";
        } else if (signal == SIGILL || signal == SIGTRAP) {
            fault.code = LAUNCH_FAILED;
            fault.text = "a trap";
        } else if (info->si_code == SI_KERNEL) {
            fault.code = MISALIGNED_ADDRESS;
            fault.text = "a misaligned or non-canonical address";
        } else if (address >= stack && address < stack + PAGE) fault.text = "more than 60 KiB of local memory";
        else if (address - reinterpret_cast<uintptr_t>(dynamic + DYNAMIC) < PAGE)
            fault.text = "access " + std::to_string(address - reinterpret_cast<uintptr_t>(dynamic + DYNAMIC)) +
                         " bytes past the end of the dynamic shared memory";
        if (!fault.text.empty()) fault.address = 0;
        fault.text += at();
        context->uc_mcontext.gregs[REG_RSI] = greg_t(mainSp);
        context->uc_mcontext.gregs[REG_RIP] = greg_t(&graft_emu_resume);
    }

private:
    friend struct Checker;
    Lane lanes[THREADS] = {};
    Warp warps[THREADS / 32] = {};
    unsigned char *stacks = reserve(THREADS * STACK), *hostStack = guarded(reserve(HOST_STACK)), *dynamic = dynamicMemory();
    std::vector<int> freeStacks;
    int usedStacks = 0;
    Launch *launch = nullptr;
    Lane *lane = nullptr;
    void *mainSp = nullptr;
    unsigned threads = 0, waiting = 0, done = 0, readyWarps = 0, warp_ = 0;
    int count = 0, conjunction = 0, disjunction = 0;
    uint64_t random = 1, stride = 1, offset = 0;
    uint32_t epoch = 0, blockEpoch = 0, launchEpoch = 0; // counts launches, blocks and block barriers
    Outcome fault;

    static unsigned char *guarded(unsigned char *stack) {
        mprotect(stack, PAGE, PROT_NONE);
        return stack;
    }
    static unsigned char *dynamicMemory() {
        auto p = reserve(DYNAMIC + PAGE);
        mprotect(p + DYNAMIC, PAGE, PROT_NONE);
        return p;
    }

    uint64_t draw() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return random;
    }

    std::string at() {
        auto &b = graft_emu_now.blockIdx, &t = graft_emu_now.threadIdx;
        char s[200];
        if (launch->function) std::snprintf(s, sizeof s, " in %s", launch->name);
        else
            std::snprintf(
                s, sizeof s, " in %s, block (%u, %u, %u), thread (%u, %u, %u)", launch->name, b.x, b.y, b.z, t.x, t.y, t.z);
        return s;
    }

    void begin(Launch &l) {
        launch = &l;
        active = this;
        launchEpoch = ++epoch;
        threads = l.block.x * l.block.y * l.block.z;
        graft_emu_now.gridDim = l.grid;
        graft_emu_now.blockDim = l.block;
        graft_emu_now.dynamicBytes = l.dynamicBytes;
        graft_emu_now.dynamic = dynamic + DYNAMIC - (l.dynamicBytes + 15) / 16 * 16;
        random = l.seed * 0x9e3779b97f4a7c15ull + 0x1234567;
        if (l.order == Order::RANDOM) {
            uint64_t n = l.blocks();
            offset = draw() % n;
            do stride = draw() % n | 1;
            while (std::gcd(stride, n) != 1);
        }
        for (unsigned i = 0; i < threads; i++)
            lanes[i].tid = {i % l.block.x, i / l.block.x % l.block.y, i / (l.block.x * l.block.y)};
        for (unsigned w = 0; w * 32 < threads; w++)
            warps[w].exists = threads - w * 32 >= 32 ? ~0u : (1u << (threads - w * 32)) - 1;
    }

    void block() {
        if (launch->dynamicBytes) std::memset(graft_emu_now.dynamic, 0xff, dynamic + DYNAMIC - graft_emu_now.dynamic);
        if (launch->sharedBytes) std::memset(launch->sharedAnchor() + launch->sharedOffset, 0xff, launch->sharedBytes);
        blockEpoch = ++epoch;
        waiting = done = 0;
        unsigned n = (threads + 31) / 32;
        for (unsigned w = 0; w < n; w++) {
            warps[w].ready = warps[w].exists;
            warps[w].atWarp = warps[w].atBlock = warps[w].done = 0;
        }
        readyWarps = n == 32 ? ~0u : (1u << n) - 1;
        for (unsigned i = 0; i < threads; i++) {
            Lane &l = lanes[i];
            l.state = NEW;
            l.parity = 0;
            l.group = 0;
            l.stack = -1;
            l.copies.clear();
        }
        freeStacks.clear();
        for (int i = usedStacks; i-- > 0;) freeStacks.push_back(i);
        warp_ = launch->order == Order::FORWARD ? 31 : 0;
        nextWarp();
        Lane *first = pick();
        first->state = READY;
        graft_emu_switch(&mainSp, fresh(*first));
    }

    /// A stack that will run l from its start.
    void *fresh(Lane &l) {
        unsigned char *top;
        if (launch->function) {
            top = hostStack + HOST_STACK;
        } else {
            if (freeStacks.empty()) {
                guarded(stacks + usedStacks * STACK);
                freeStacks.push_back(usedStacks++);
            }
            l.stack = freeStacks.back();
            freeStacks.pop_back();
            top = stacks + (l.stack + 1) * STACK - l.stack * 192 % 4096; // spread over the sets of the first-level cache
        }
#if defined(__SANITIZE_ADDRESS__)
        ASAN_UNPOISON_MEMORY_REGION(
            launch->function ? hostStack : stacks + l.stack * STACK, launch->function ? HOST_STACK : STACK);
#endif
        auto p = reinterpret_cast<void **>(top);
        *--p = nullptr; // keeps the ABI's alignment at main's entry
        *--p = reinterpret_cast<void *>(&Executor::main);
        for (int i = 0; i < 6; i++) *--p = nullptr;
        return p;
    }

    static void main() {
        Executor &e = *active;
        if (e.launch->function) {
            e.launch->function(e.launch->parameters);
            graft_emu_resume(nullptr, e.mainSp);
        }
        for (;;) {
            e.launch->kernel->run(e.launch->parameters);
            Lane &me = *e.lane;
            unsigned i = graft_emu_now.linear;
            me.state = DONE;
            e.warps[i >> 5].done |= 1u << (i & 31);
            e.done++;
            int stack = me.stack;
            Lane *next = e.pick();
            if (!next) graft_emu_resume(nullptr, e.mainSp);
            if (next->state == NEW) { // goes on on this stack
                next->state = READY;
                next->stack = stack;
                continue;
            }
            e.freeStacks.push_back(stack);
            graft_emu_resume(nullptr, next->sp);
        }
    }

    void yield(Lane &me) {
        Lane *next = pick();
        if (next == &me) return;
        if (!next) graft_emu_resume(nullptr, mainSp);
        if (next->state == NEW) {
            next->state = READY;
            graft_emu_switch(&me.sp, fresh(*next));
        } else graft_emu_switch(&me.sp, next->sp);
    }

    void nextWarp() {
        if (launch->order == Order::FORWARD) {
            unsigned later = readyWarps & ~((2u << warp_) - 1);
            if (warp_ == 31) later = 0;
            warp_ = __builtin_ctz(later ? later : readyWarps);
        } else if (launch->order == Order::REVERSE) {
            unsigned earlier = readyWarps & ((1u << warp_) - 1);
            warp_ = 31 - __builtin_clz(earlier ? earlier : readyWarps);
        } else {
            unsigned m = readyWarps;
            for (unsigned k = draw() % __builtin_popcount(m); k > 0; k--) m &= m - 1;
            warp_ = __builtin_ctz(m);
        }
    }

    /// The thread to run next, made the current one; null when all are done, or none can go on (then fault says so).
    Lane *pick() {
        for (;;) {
            Warp &w = warps[warp_];
            if (w.ready) {
                unsigned n;
                if (launch->order == Order::FORWARD) n = __builtin_ctz(w.ready);
                else if (launch->order == Order::REVERSE) n = 31 - __builtin_clz(w.ready);
                else {
                    if ((draw() & 7) == 0) {
                        nextWarp();
                        if (!warps[warp_].ready) continue;
                    }
                    Warp &r = warps[warp_];
                    unsigned m = r.ready;
                    for (unsigned k = draw() % __builtin_popcount(m); k > 0; k--) m &= m - 1;
                    n = __builtin_ctz(m);
                }
                warps[warp_].ready &= ~(1u << n);
                unsigned i = warp_ * 32 + n;
                lane = &lanes[i];
                graft_emu_now.threadIdx = lane->tid;
                graft_emu_now.linear = i;
                return lane;
            }
            if (w.atWarp && complete(w)) continue;
            if (fault.code) return nullptr;
            readyWarps &= ~(1u << warp_);
            if (readyWarps) {
                nextWarp();
                continue;
            }
            if (done == threads) return nullptr;
            if (waiting && waiting + done == threads) {
                release();
                nextWarp();
                continue;
            } // finished threads hold nobody up
            // A warp operation may have become complete through threads that ended.
            bool progress = false;
            for (unsigned i = 0; i * 32 < threads; i++)
                if (warps[i].atWarp && complete(warps[i])) {
                    readyWarps |= 1u << i;
                    progress = true;
                }
            if (fault.code) return nullptr;
            if (!progress) {
                stuck();
                return nullptr;
            }
            nextWarp();
        }
    }

    /// Lets the lanes go that are all at the same operation; false when there are none.
    bool complete(Warp &w) {
        bool released = false;
        Lane *base = &lanes[(&w - warps) * 32];
        for (unsigned rest = w.atWarp; rest;) {
            unsigned first = __builtin_ctz(rest);
            Lane &f = base[first];
            unsigned group = f.mask & w.exists & ~w.done;
            rest &= rest - 1;
            if ((w.atWarp & group) != group) continue;
            bool same = true, aligned = true;
            for (unsigned m = group; m; m &= m - 1) {
                Lane &l = base[__builtin_ctz(m)];
                same &= l.mask == f.mask;
                aligned &= l.parity == f.parity;
                if (l.where != f.where && std::strcmp(l.where, f.where)) {
                    fault.code = LAUNCH_FAILED;
                    fault.text =
                        std::string("lanes of one warp are in different operations, ") + f.where + " and " + l.where + at();
                    return false;
                }
            }
            if (!same) continue;
            graft_emu_slot *slots = w.slots[f.parity];
            if (!aligned) {
                slots = w.slots[2];
                for (unsigned m = group; m; m &= m - 1) {
                    unsigned i = __builtin_ctz(m);
                    slots[i] = w.slots[base[i].parity][i];
                }
            }
            uint8_t parity = f.parity ^ 1;
            for (unsigned m = group; m; m &= m - 1) {
                Lane &l = base[__builtin_ctz(m)];
                l.parity = parity;
                l.result = slots;
                l.state = READY;
            }
            w.epoch += f.bytes == 0;
            w.atWarp &= ~group;
            w.ready |= group;
            rest &= ~group;
            released = true;
        }
        return released;
    }

    void release() {
        epoch++;
        count = 0;
        for (unsigned i = 0; i * 32 < threads; i++) {
            Warp &w = warps[i];
            for (unsigned m = w.atBlock; m; m &= m - 1) {
                Lane &l = lanes[i * 32 + __builtin_ctz(m)];
                count += l.pred != 0;
                l.state = READY;
            }
            w.ready = w.atBlock;
            if (w.ready) readyWarps |= 1u << i;
            w.atBlock = 0;
        }
        conjunction = count == int(waiting);
        disjunction = count != 0;
        waiting = 0;
    }

    void stuck() {
        unsigned atWarp = 0, shown = 0;
        for (unsigned i = 0; i < threads; i++) atWarp += lanes[i].state == AT_WARP;
        std::string s = "deadlock: " + std::to_string(waiting) + " threads wait at a block barrier, " +
                        std::to_string(atWarp) + " at a warp operation, " + std::to_string(done) +
                        " have ended; the first ones:";
        for (unsigned i = 0; i < threads && shown < 4; i++) {
            if (lanes[i].state == DONE) continue;
            s += (shown++ ? ", " : " ") + std::string("thread ") + std::to_string(i) + " in " + lanes[i].where;
        }
        auto &b = graft_emu_now.blockIdx;
        fault.code = LAUNCH_FAILED;
        fault.text = s + "; kernel " + launch->name + ", block (" + std::to_string(b.x) + ", " + std::to_string(b.y) + ", " +
                     std::to_string(b.z) + ")";
    }
};

// ------------------------------------------------------------------ faults

inline struct sigaction previous[NSIG];

inline void onSignal(int signal, siginfo_t *info, void *context) {
    if (active) {
        active->interrupt(signal, info, static_cast<ucontext_t *>(context));
        return;
    }
    struct sigaction &p = previous[signal];
    if (p.sa_flags & SA_SIGINFO) p.sa_sigaction(signal, info, context);
    else if (p.sa_handler == SIG_DFL)
        sigaction(signal, &p, nullptr); // the faulting instruction runs again and ends the process
    else if (p.sa_handler != SIG_IGN) p.sa_handler(signal);
}

/// Takes the signals of faults over; those outside kernels go to whoever had them before (a JVM).
inline void catchFaults() {
    static std::once_flag once;
    std::call_once(once, [] {
        for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
            struct sigaction a = {};
            a.sa_sigaction = onSignal;
            a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
            sigaction(s, &a, &previous[s]);
        }
    });
}

/// A stack for signal handlers while this thread runs kernels: a fiber's own may be what overflowed.
class SignalStack {
public:
    SignalStack() {
        static thread_local std::unique_ptr<char[]> memory;
        if (!memory) memory.reset(new char[SIZE]);
        stack_t s = {};
        s.ss_sp = memory.get();
        s.ss_size = SIZE;
        sigaltstack(&s, &old);
    }
    ~SignalStack() { sigaltstack(&old, nullptr); }

private:
    static constexpr size_t SIZE = 32 * 1024;
    stack_t old;
};

inline Executor &executor() {
    static thread_local std::unique_ptr<Executor> e;
    if (!e) e.reset(new Executor());
    return *e;
}

// ------------------------------------------------------------------ a second host thread for long launches

class Assistant {
public:
    void start(Launch &l) {
        std::lock_guard<std::mutex> g(lock);
        if (!running) {
            running = true;
            std::thread([this] { work(); }).detach();
        }
        job = &l;
        wake.notify_one();
    }
    void finish() {
        std::unique_lock<std::mutex> g(lock);
        idle.wait(g, [this] { return !job; });
    }

private:
    std::mutex lock;
    std::condition_variable wake, idle;
    bool running = false;
    Launch *job = nullptr;

    void work() {
        sigset_t all;
        sigfillset(&all);
        for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, s);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        SignalStack signals;
        for (;;) {
            Launch *l;
            {
                std::unique_lock<std::mutex> g(lock);
                wake.wait(g, [this] { return job; });
                l = job;
            }
            executor().run(*l, std::chrono::hours(1));
            std::lock_guard<std::mutex> g(lock);
            job = nullptr;
            idle.notify_all();
        }
    }
};

inline std::atomic<bool> twoThreads{true};

/// Runs a launch to its end. One at a time: the caller holds the device's lock.
inline void execute(Launch &l) {
    static Assistant &assistant = *new Assistant(); // never destroyed: its thread outlives main
    static const bool cores = std::thread::hardware_concurrency() > 1;
    catchFaults();
    SignalStack signals;
    bool share = cores && twoThreads && !l.checked && l.blocks() > 3;
    if (!executor().run(l, share ? std::chrono::nanoseconds(300'000) : std::chrono::hours(1))) {
        assistant.start(l);
        executor().run(l, std::chrono::hours(1));
        assistant.finish();
    }
}
}

// ------------------------------------------------------------------ what kernels call

extern "C" {
void __tsan_read_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n);
int graft_emu_barrier(int vote, int pred, const char *where) { return emu::active->barrier(vote, pred, where); }
const graft_emu_slot *graft_emu_warp(unsigned mask, const void *data, unsigned bytes, const char *where) {
    if (bytes) __tsan_read_range(const_cast<void *>(data), bytes);
    return emu::active->warp(mask, data, bytes, where);
}
void graft_emu_fail(const char *text) { emu::active->fail(text); }
void graft_emu_copy_async(void *shared, const void *global, unsigned size, unsigned bytes) {
    if ((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) & (size - 1))
        emu::active->fail("cp.async: an address is not a multiple of the size", emu::MISALIGNED_ADDRESS);
    if (bytes > size) emu::active->fail("cp.async: more bytes than the size");
    emu::Lane &l = emu::active->current();
    __tsan_write_range(shared, size);
    __tsan_read_range(const_cast<void *>(global), bytes);
    std::memset(shared, 0xff, size);
    l.copies.push_back({shared, global, size, bytes, l.group});
}
void graft_emu_copy_commit() { emu::active->current().group++; }
void graft_emu_copy_wait(int groups) {
    emu::Lane &l = emu::active->current();
    size_t kept = 0;
    for (size_t i = 0; i < l.copies.size(); i++) {
        emu::Copy c = l.copies[i];
        if (groups >= 0 && c.group + groups >= l.group) {
            l.copies[kept++] = c;
            continue;
        }
        __tsan_write_range(c.shared, c.size);
        std::memcpy(c.shared, c.global, c.bytes);
        std::memset(static_cast<char *>(c.shared) + c.bytes, 0, c.size - c.bytes);
    }
    l.copies.resize(kept);
}
}
#endif
