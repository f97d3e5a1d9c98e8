// What is no function of the driver: calls of the other stand-ins (emu.h), switches and counters for the tests.
#ifndef GRAFT_EMU_CONTROL_H
#define GRAFT_EMU_CONTROL_H
#include "driver.h"
#include "emu.h"

extern "C" {
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
        if (failing != device().settings.failLaunch.end())
            return device().breakDown(failing->second, std::string("call of ") + name + " fails as it was told to");
        return perform(l);
    };
    return submit(*st, Kind::KERNEL, name, [=]() -> std::function<int()> {
        auto copied = std::make_shared<std::vector<std::max_align_t>>(size / sizeof(std::max_align_t) + 1);
        std::memcpy(copied->data(), arg, size);
        std::string n = name;
        return [=] { return run(n.c_str(), fn, copied->data()); };
    });
}
int graft_emu_inside(const void *p, size_t n) {
    auto g = locked();
    return n == 0 || memory().find(p, n) || (!memory().onDevice(p) && memory().pinned(p, n));
}
int graft_emu_capturing(void *s) {
    auto g = locked();
    Stream *st = stream(s);
    return st && st->capture;
}
int graft_emu_broken() {
    auto g = locked();
    return device().broken;
}
void graft_emu_complain(const char *text) {
    auto g = locked();
    device().complain(text);
}

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
    else if (n == "devices") {
        s.devices = int(v);
        if (!v) initialised = false;
    } else if (n == "capability") s.capability = int(v);
    else if (n == "order") s.order = Order(v);
    else if (n == "seed") s.seed = v;
    else if (n == "lazy") {
        if (!v) drainAll();
        s.lazy = v != 0;
    } else if (n == "fail-allocation") s.failAllocation = v;
    else if (n == "break") device().broken = int(v);
    else if (n == "threads") twoThreads = v > 1;
    else return 1;
    return 0;
}
/// Every launch of the kernel (or library call) fails with this error; 0: no longer.
void graft_emu_fail_launch(const char *kernel, int error) {
    auto g = locked();
    if (error) device().settings.failLaunch[kernel] = error;
    else device().settings.failLaunch.erase(kernel);
}
/// Reads a counter: "launches", "allocations", "allocated", "used", "peak", "live", "copies", "copied", "memsets", "graphs",
/// "host-calls", "modules", "pinned", "streams", "events", "captures".
long long graft_emu_count(const char *name) {
    auto g = locked();
    Device &d = device();
    std::string n = name;
    if (n == "launches") {
        uint64_t sum = 0;
        for (auto &l : d.launches) sum += l.second;
        return sum;
    }
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
long long graft_emu_launches(const char *kernel) {
    auto g = locked();
    auto i = device().launches.find(kernel);
    return i == device().launches.end() ? 0 : i->second;
}
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
#endif
