// The state of the emulated device: memory with guards, streams, captured work, the switches that tests set, the report.
// Everything here is reached with the device's lock held.
#ifndef GRAFT_EMU_DEVICE_H
#define GRAFT_EMU_DEVICE_H
#include "fibers.h"
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <pthread.h>

namespace emu {
// ------------------------------------------------------------------ report and switches

struct Settings {
    uint64_t totalMemory = 4ull << 30;
    int driverVersion = 13000, devices = 1, capability = 90;
    int64_t failAllocation = -1; // allocations until one fails
    std::map<std::string, int> failLaunch; // error by kernel name
    Order order = Order::FORWARD;
    uint64_t seed = 0;
    bool lazy = false; // streams run only when somebody waits for them
};

struct Device {
    std::recursive_mutex lock;
    Settings settings;
    int broken = 0;
    std::vector<std::string> report;
    std::map<std::string, uint64_t> launches;
    uint64_t allocations = 0, allocatedBytes = 0, copies = 0, copiedBytes = 0, graphLaunches = 0, memsets = 0, hostCalls = 0;
    uint64_t used = 0, peak = 0;

    void complain(const std::string &s) {
        if (report.size() < 1000) report.push_back(s);
    }
    int breakDown(int code, const std::string &s) {
        complain(s);
        if (!broken) broken = code;
        return code;
    }
};
inline Device &device() {
    static Device &d = *new Device();
    return d;
}

// ------------------------------------------------------------------ memory

/// An allocation ends as close to a page without access as its alignment of 256 bytes allows. What lies between its borders
/// and the pages' is filled with 0xff (NaN) and looked at after launches, at synchronisation and when it is freed.
struct Allocation {
    uint64_t id;
    unsigned char *data;
    size_t size;
    unsigned char *first; // of its accessible pages
    size_t mapped;
    unsigned char *begin() const { return first; }
    unsigned char *end() const { return first + mapped; }
};

class Memory {
public:
    static constexpr size_t SPACE = 1ull << 38; // of addresses
    static constexpr unsigned char CANARY = 0xff;
    static constexpr size_t FILLED = 64 << 20; // so much of a new allocation holds NaN, the rest is zero

    int allocate(size_t bytes, uintptr_t &out) {
        Device &d = device();
        if (bytes == 0) return 1;
        if (d.settings.failAllocation >= 0 && d.settings.failAllocation-- == 0) return 2;
        if (bytes > d.settings.totalMemory - std::min(d.used, d.settings.totalMemory)) return 2;
        size_t rounded = (bytes + 255) / 256 * 256, mapped = (rounded + PAGE - 1) / PAGE * PAGE;
        unsigned char *first = place(mapped);
        if (!first) return 2;
        d.allocations++;
        Allocation a{++last, first + mapped - rounded, bytes, first, mapped};
        std::memset(a.first, CANARY, a.data - a.first + std::min(bytes, FILLED));
        if (a.data + bytes != a.end()) std::memset(a.data + bytes, CANARY, a.end() - a.data - bytes);
        live[reinterpret_cast<uintptr_t>(a.data)] = a;
        version++;
        d.used += bytes;
        d.peak = std::max(d.peak, d.used);
        d.allocatedBytes += bytes;
        out = reinterpret_cast<uintptr_t>(a.data);
        return 0;
    }

    int release(uintptr_t p) {
        auto i = live.find(p);
        if (i == live.end()) {
            device().complain(
                "cuMemFree of " + hex(p) + ", which is no live allocation" +
                (std::count_if(freed.begin(), freed.end(), [p](auto &a) { return reinterpret_cast<uintptr_t>(a.data) == p; })
                        ? " (freed before)"
                        : ""));
            return 1;
        }
        Allocation a = i->second;
        int status = verify(a, "when it was freed");
        live.erase(i);
        version++;
        device().used -= a.size;
        mmap(a.first, a.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        freed.push_back(a);
        if (freed.size() > 256) freed.pop_front();
        return status;
    }

    /// The live allocation that p lies in (or ends), or null.
    const Allocation *find(const void *p, size_t bytes = 0) const {
        auto i = live.upper_bound(reinterpret_cast<uintptr_t>(p));
        if (i == live.begin()) return nullptr;
        const Allocation &a = (--i)->second;
        auto at = static_cast<const unsigned char *>(p);
        return at <= a.data + a.size && bytes <= size_t(a.data + a.size - at) ? &a : nullptr;
    }

    const Allocation *exact(uintptr_t p) const {
        auto i = live.find(p);
        return i == live.end() ? nullptr : &i->second;
    }

    bool onDevice(const void *p) const {
        return base && static_cast<const unsigned char *>(p) - base >= 0 &&
               static_cast<const unsigned char *>(p) < base + SPACE;
    }

    bool pinned(const void *p, size_t bytes = 1) const {
        auto i = host.upper_bound(reinterpret_cast<uintptr_t>(p));
        if (i == host.begin()) return false;
        --i;
        return reinterpret_cast<uintptr_t>(p) + bytes <= i->first + i->second;
    }

    std::map<uintptr_t, size_t> host; // page-locked
    uint64_t version = 0; // changes with what is allocated
    size_t offset(const void *p) const { return static_cast<const unsigned char *>(p) - base; }

    int verify(const Allocation &a, const std::string &when) {
        for (const unsigned char *p = a.first; p < a.data; p++)
            if (*p != CANARY) return spoilt(a, std::to_string(a.data - p) + " bytes before the beginning", when);
        for (const unsigned char *p = a.data + a.size; p < a.end(); p++)
            if (*p != CANARY) return spoilt(a, std::to_string(p - a.data - a.size) + " bytes past the end", when);
        return 0;
    }

    int verifyAll(const std::string &when) {
        int status = 0;
        for (auto &a : live)
            if (int s = verify(a.second, when)) status = s;
        return status;
    }

    static std::string hex(uintptr_t p) {
        char s[32];
        std::snprintf(s, sizeof s, "0x%llx", (unsigned long long) p);
        return s;
    }
    static std::string name(const Allocation &a) {
        return "allocation " + std::to_string(a.id) + " of " + std::to_string(a.size) + " bytes";
    }

    /// Where an address lies, for messages.
    std::string describe(uintptr_t p) const {
        if (p < 65536) return "null + " + std::to_string(p);
        if (!onDevice(reinterpret_cast<void *>(p))) return hex(p) + ", which is not device memory";
        for (auto i = freed.rbegin(); i != freed.rend(); ++i)
            if (p >= uintptr_t(i->data) && p < uintptr_t(i->data) + i->size)
                return std::to_string(p - uintptr_t(i->data)) + " bytes into freed " + name(*i);
        auto next = live.upper_bound(p);
        uint64_t before = next == live.end() ? ~0ull : next->first - p, after = ~0ull;
        const Allocation *prior = next == live.begin() ? nullptr : &std::prev(next)->second;
        if (prior) after = p - uintptr_t(prior->data) - prior->size;
        if (prior && after <= before) return std::to_string(after) + " bytes past the end of " + name(*prior);
        if (before != ~0ull) return std::to_string(before) + " bytes before the beginning of " + name(next->second);
        return hex(p) + ", where nothing is allocated";
    }

    size_t count() const { return live.size(); }

private:
    std::map<uintptr_t, Allocation> live;
    std::deque<Allocation> freed;
    uint64_t last = 0;
    unsigned char *base = nullptr, *cursor = nullptr;

    /// Pages in the device's address range with a page without access on both sides; addresses come back late.
    unsigned char *place(size_t mapped) {
        if (!base) {
            void *p = mmap(nullptr, SPACE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (p == MAP_FAILED) return nullptr;
            base = cursor = static_cast<unsigned char *>(p);
        }
        unsigned char *at = cursor + PAGE;
        for (bool wrapped = false;;) {
            if (at + mapped + PAGE > base + SPACE) {
                if (wrapped) return nullptr;
                wrapped = true;
                at = base + PAGE;
            }
            auto i = live.lower_bound(reinterpret_cast<uintptr_t>(at)); // the allocations that could overlap
            if (i != live.begin() && std::prev(i)->second.end() + PAGE > at) {
                at = std::prev(i)->second.end() + PAGE;
                continue;
            }
            if (i != live.end() && i->second.begin() < at + mapped + PAGE) {
                at = i->second.end() + PAGE;
                continue;
            }
            break;
        }
        if (mprotect(at, mapped, PROT_READ | PROT_WRITE)) return nullptr;
        cursor = at + mapped;
        return at;
    }

    int spoilt(const Allocation &a, const std::string &where, const std::string &when) {
        // Restored, so that one bad write is told once.
        std::memset(a.first, CANARY, a.data - a.first);
        std::memset(a.data + a.size, CANARY, a.end() - a.data - a.size);
        return device().breakDown(ILLEGAL_ADDRESS, "memory was written " + where + " of " + name(a) + ", seen " + when);
    }
};
inline Memory &memory() {
    static Memory &m = *new Memory();
    return m;
}

// ------------------------------------------------------------------ streams and recorded work

enum class Kind { KERNEL = 0, MEMCPY = 1, MEMSET = 2, HOST = 3, EVENT = 7 };
struct Work {
    Kind kind;
    std::string name;
    std::function<int()> run;
};

struct Stream;
struct Capture {
    Stream *origin;
    int mode;
    pthread_t thread;
    std::vector<Work> work;
    std::map<Stream *, uint64_t> recorded, joined; // per stream: pieces of work, and how many of them others wait for
    bool invalid = false;
};

struct Stream {
    unsigned flags = 0;
    int priority = 0;
    Capture *capture = nullptr;
    std::deque<Work> queue;
    uint64_t enqueued = 0, executed = 0;
    bool blocking() const { return !(flags & 1); }
};

struct Event {
    unsigned flags = 0;
    Stream *stream = nullptr; // where it was recorded last; null: never
    uint64_t position = 0; // done when the stream has executed so much
    Capture *capture = nullptr;
    std::chrono::steady_clock::time_point time;
};

struct Graph {
    std::shared_ptr<std::vector<Work>> work = std::make_shared<std::vector<Work>>();
};

struct Streams {
    Stream legacy;
    std::set<Stream *> live;
    std::set<Event *> events;
    std::set<Capture *> captures;
    std::set<Graph *> graphs, executables;
};
inline Streams &streams() {
    static Streams &s = *new Streams();
    return s;
}

/// Runs what a stream has queued, up to a position.
inline int drain(Stream &s, uint64_t position = ~0ull) {
    int status = 0;
    while (!s.queue.empty() && s.executed < position) {
        Work w = std::move(s.queue.front());
        s.queue.pop_front();
        s.executed++;
        if (!device().broken)
            if (int e = w.run()) status = e;
    }
    return device().broken ? device().broken : status;
}

inline int drainAll(bool onlyBlocking = false) {
    int status = drain(streams().legacy);
    for (Stream *s : std::set<Stream *>(streams().live))
        if (!onlyBlocking || s->blocking())
            if (int e = drain(*s)) status = e;
    return status;
}

/// Runs, queues or records a piece of work in the order of its stream.
template <class Make> int submit(Stream &s, Kind kind, const char *name, Make make) {
    if (s.capture) {
        if (s.capture->invalid) return 901;
        s.capture->work.push_back({kind, name, make()});
        s.capture->recorded[&s]++;
        return 0;
    }
    if (device().settings.lazy) {
        if (&s == &streams().legacy) {
            if (int e = drainAll(true)) return e;
        } else {
            s.queue.push_back({kind, name, make()});
            s.enqueued++;
            return 0;
        }
    }
    s.enqueued++;
    s.executed++;
    return make()();
}
}
#endif
