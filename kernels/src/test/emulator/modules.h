// Modules of the emulated device: what libnvrtc.cpp makes (a shared object behind a head) is loaded, its kernels are found
// in its table and launched.
#ifndef GRAFT_EMU_MODULES_H
#define GRAFT_EMU_MODULES_H
#include "device.h"
#include "image.h"
#include <atomic>
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

namespace emu {
struct Module;

struct Function {
    Module *module;
    const graft_emu_kernel *kernel;
    unsigned staticShared = 0;
    int maxDynamic = 48 * 1024;
};

struct Module {
    void *handle = nullptr;
    int file = -1; // stays open: dlopen knows its libraries by name, and this is part of it
    unsigned char *(*anchor)() = nullptr; // a thread-local variable of the module
    ptrdiff_t shared = 0; // from the anchor to the beginning of its thread-local block
    size_t sharedBytes = 0;
    const unsigned char *image = nullptr;
    size_t imageBytes = 0;
    bool checked = false;
    std::map<std::string, std::unique_ptr<Function>> functions;
    ~Module() {
        if (handle) dlclose(handle);
        if (file >= 0) close(file);
    }
};

struct Modules {
    std::set<Module *> live;
    std::set<Function *> functions;
};
inline Modules &modules() {
    static Modules &m = *new Modules();
    return m;
}

constexpr unsigned STATIC_SHARED = 48 * 1024, ALL_SHARED = 227 * 1024, RESERVED_SHARED = 1024;

inline int loadModule(const void *image, Module *&out) {
    ImageHead h;
    std::memcpy(&h, image, sizeof h);
    auto text = static_cast<const char *>(image);
    if (std::memcmp(h.magic, IMAGE_MAGIC, sizeof h.magic)) {
        device().complain("cuModuleLoadData: this is nothing that the emulated NVRTC made");
        return std::strstr(std::string(text, strnlen(text, 64)).c_str(), ".version") ? 218 : 200;
    }
    auto code = static_cast<const unsigned char *>(image) + sizeof h;
    if (imageHash(code, h.bytes) != h.hash) return 200;
    if (h.capability / 10 != device().settings.capability / 10 || h.capability > device().settings.capability) return 209;
    auto m = std::make_unique<Module>();
    m->file = memfd_create("graft-kernels", MFD_CLOEXEC);
    if (m->file < 0) return 304;
    for (size_t done = 0; done < h.bytes;) {
        ssize_t n = write(m->file, code + done, h.bytes - done);
        if (n <= 0) return 304;
        done += n;
    }
    m->handle = dlopen(("/proc/self/fd/" + std::to_string(m->file)).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!m->handle) {
        device().complain(std::string("cuModuleLoadData: ") + dlerror());
        return 200;
    }
    auto table = static_cast<const graft_emu_kernel *>(dlsym(m->handle, "graft_emu_kernels"));
    m->anchor = reinterpret_cast<unsigned char *(*)()>(dlsym(m->handle, "graft_emu_anchor"));
    if (!table || !m->anchor) return 200;
    unsigned char *anchor = m->anchor();
    struct Search {
        unsigned char *anchor, *begin;
        size_t bytes;
        const unsigned char *image;
        size_t imageBytes;
    } search{anchor, nullptr, 0, nullptr, 0};
    dl_iterate_phdr(
        [](dl_phdr_info *i, size_t, void *p) {
            auto &s = *static_cast<Search *>(p);
            auto data = static_cast<unsigned char *>(i->dlpi_tls_data);
            size_t end = 0;
            bool found = false;
            for (int k = 0; data && k < i->dlpi_phnum; k++) {
                auto &h = i->dlpi_phdr[k];
                if (h.p_type == PT_LOAD) end = std::max<size_t>(end, h.p_vaddr + h.p_memsz);
                if (h.p_type == PT_TLS && s.anchor >= data && s.anchor < data + h.p_memsz) {
                    s.begin = data;
                    s.bytes = h.p_memsz;
                    found = true;
                }
            }
            if (found) {
                s.image = reinterpret_cast<const unsigned char *>(i->dlpi_addr);
                s.imageBytes = end;
            }
            return 0;
        },
        &search);
    if (!search.begin) return 200;
    m->shared = search.begin - anchor;
    m->image = search.image;
    m->imageBytes = search.imageBytes;
    m->checked = dlsym(m->handle, "graft_emu_checked");
    m->sharedBytes = search.bytes > 16 ? search.bytes : 0; // the anchor alone: no shared memory
    std::set<std::string> names;
    for (auto e = table; e->name; e++) names.insert(e->name);
    auto shared = sharedByKernel(code, names);
    for (auto e = table; e->name; e++) {
        auto f = std::make_unique<Function>();
        f->module = m.get();
        f->kernel = e;
        f->staticShared = shared[e->name];
        modules().functions.insert(f.get());
        m->functions[e->name] = std::move(f);
    }
    modules().live.insert(out = m.release());
    return 0;
}

inline int unloadModule(Module *m) {
    if (!modules().live.erase(m)) return 400;
    for (auto &f : m->functions) modules().functions.erase(f.second.get());
    delete m;
    return 0;
}

/// The line of the source that an address of a module comes from.
inline std::string lineOf(const Module &m, void *pc) {
    char command[120], line[400] = "";
    std::snprintf(command, sizeof command, "addr2line -e /proc/%d/fd/%d 0x%zx 2>/dev/null", int(getpid()), m.file,
        static_cast<const unsigned char *>(pc) - m.image - 1);
    if (FILE *f = popen(command, "r")) {
        if (!std::fgets(line, sizeof line, f)) line[0] = 0;
        pclose(f);
    }
    std::string s = line;
    s = s.substr(0, s.find_first_of(" \n"));
    return s.empty() || s[0] == '?' ? "" : " at " + s.substr(s.rfind('/') + 1);
}

/// Runs one launch now; what goes wrong breaks the context, as on a device.
inline int perform(Launch &l, const Module *m = nullptr) {
    Device &d = device();
    if (d.broken) return d.broken;
    l.order = d.settings.order;
    l.seed = d.settings.seed;
    execute(l);
    if (!l.failed) return 0;
    std::string s = l.outcome.text;
    if (l.outcome.address) s = (l.outcome.wrote ? "write to " : "read of ") + memory().describe(l.outcome.address) + s;
    if (m && l.outcome.pc) s += lineOf(*m, l.outcome.pc);
    return d.breakDown(l.outcome.code, s);
}

/// A launch whose arguments were copied, for later.
struct Recorded {
    Function *function;
    uint3 grid, block;
    unsigned dynamicBytes;
    std::vector<std::max_align_t> values;
    std::vector<size_t> offsets;
};

inline int launchNow(Function *f, uint3 grid, uint3 block, unsigned dynamicBytes, void **parameters) {
    const graft_emu_kernel &k = *f->kernel;
    Device &d = device();
    d.launches[k.name]++;
    auto failing = d.settings.failLaunch.find(k.name);
    if (failing != d.settings.failLaunch.end())
        return d.breakDown(failing->second, std::string("launch of ") + k.name + " fails as it was told to");
    const Allocation *touched[64];
    unsigned n = 0;
    for (unsigned i = 0; i < k.parameters; i++) {
        if (!k.pointers[i]) continue;
        void *p;
        std::memcpy(&p, parameters[i], sizeof p);
        if (!p) continue;
        if (const Allocation *a = memory().find(p)) {
            if (n < 64) touched[n++] = a;
        } else if (!memory().onDevice(p) && !memory().pinned(p))
            return d.breakDown(ILLEGAL_ADDRESS, std::string("parameter ") + std::to_string(i) + " of " + k.name + " is " +
                                                    Memory::hex(uintptr_t(p)) + ", which is not device memory");
    }
    Launch l;
    l.kernel = &k;
    l.name = k.name;
    l.grid = grid;
    l.block = block;
    l.dynamicBytes = dynamicBytes;
    l.parameters = parameters;
    Module *m = f->module;
    l.sharedBytes = m->sharedBytes;
    l.sharedAnchor = m->anchor;
    l.sharedOffset = m->shared;
    l.image = m->image;
    l.imageBytes = m->imageBytes;
    l.checked = m->checked;
    if (int e = perform(l, m)) return e;
    for (unsigned i = 0; i < n; i++)
        if (int e = memory().verify(*touched[i], std::string("after ") + k.name)) return e;
    return 0;
}

inline std::string shape(uint3 g, uint3 b) {
    char s[160];
    std::snprintf(s, sizeof s, "%u x %u x %u blocks of %u x %u x %u threads", g.x, g.y, g.z, b.x, b.y, b.z);
    return s;
}

/// What a device refuses about a launch.
inline int checkLaunch(const Function &f, uint3 g, uint3 b, unsigned dynamicBytes) {
    auto refuse = [&](int code, const std::string &why) {
        device().complain("launch of " + std::string(f.kernel->name) + " with " + shape(g, b) + ": " + why);
        return code;
    };
    uint64_t threads = uint64_t(b.x) * b.y * b.z;
    if (!threads || b.x > 1024 || b.y > 1024 || b.z > 64 || threads > 1024)
        return refuse(1, "a block has 1 to 1024 threads");
    if (!g.x || !g.y || !g.z || g.x > 0x7fffffff || g.y > 65535 || g.z > 65535)
        return refuse(1, "a grid has 1 to 2147483647 x 65535 x 65535 blocks");
    if (threads > f.kernel->maxThreads)
        return refuse(701, "its __launch_bounds__ allow " + std::to_string(f.kernel->maxThreads));
    if (dynamicBytes > unsigned(f.maxDynamic))
        return refuse(1, std::to_string(dynamicBytes) + " bytes of dynamic shared memory, cuFuncSetAttribute allowed " +
                             std::to_string(f.maxDynamic));
    if (dynamicBytes + f.staticShared > (f.maxDynamic > int(STATIC_SHARED) ? ALL_SHARED : STATIC_SHARED))
        return refuse(
            1, "static and dynamic shared memory together are " + std::to_string(dynamicBytes + f.staticShared) + " bytes");
    uint64_t bytes = 0;
    for (unsigned i = 0; i < f.kernel->parameters; i++) bytes += f.kernel->sizes[i];
    if (bytes > (device().settings.driverVersion >= 12010 ? 32764u : 4096u))
        return refuse(1, std::to_string(bytes) + " bytes of parameters");
    return 0;
}

inline int launchKernel(Stream &s, Function *f, uint3 grid, uint3 block, unsigned dynamicBytes, void **parameters) {
    if (int e = checkLaunch(*f, grid, block, dynamicBytes)) return e;
    const graft_emu_kernel &k = *f->kernel;
    if (k.parameters && !parameters) return 1;
    if (!s.capture && !device().settings.lazy) return launchNow(f, grid, block, dynamicBytes, parameters);
    return submit(s, Kind::KERNEL, k.name, [&]() -> std::function<int()> {
        auto r = std::make_shared<Recorded>();
        r->function = f;
        r->grid = grid;
        r->block = block;
        r->dynamicBytes = dynamicBytes;
        size_t bytes = 0;
        constexpr size_t A = sizeof(std::max_align_t);
        for (unsigned i = 0; i < k.parameters; i++) {
            r->offsets.push_back(bytes);
            bytes += (k.sizes[i] + A - 1) / A * A;
        }
        r->values.resize(bytes / A + 1);
        for (unsigned i = 0; i < k.parameters; i++)
            std::memcpy(reinterpret_cast<char *>(r->values.data()) + r->offsets[i], parameters[i], k.sizes[i]);
        return [r] {
            if (!modules().functions.count(r->function))
                return device().breakDown(LAUNCH_FAILED, "a recorded launch of a kernel whose module was unloaded");
            void *p[1024];
            for (size_t i = 0; i < r->offsets.size(); i++) p[i] = reinterpret_cast<char *>(r->values.data()) + r->offsets[i];
            return launchNow(r->function, r->grid, r->block, r->dynamicBytes, p);
        };
    });
}
}
#endif
