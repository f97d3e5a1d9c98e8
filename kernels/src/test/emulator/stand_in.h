// What the stand-ins for cuBLAS and cuDNN share: element types, the way to the stand-in driver, and the check that device
// memory which a call names is really allocated.  A library is made of every file whose name begins with its own:
//   g++ -std=c++20 -O2 -march=native -fPIC -shared -Wl,-soname,libcudnn.so.9 libcudnn*.cpp -ldl
// Never with -ffast-math: the rounding of half and TF32 depends on exact arithmetic.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <set>
#include <type_traits>

#define STAND_IN_API extern "C" __attribute__((visibility("default")))

namespace standin {

// ---- element types -----------------------------------------------------------------------------------------------

struct bf16 {
    uint16_t bits;
};
struct half16 {
    uint16_t bits;
};

inline float to_float(bf16 v) { return std::bit_cast<float>(uint32_t(v.bits) << 16); }

inline bf16 round_bf16(float f) {
    uint32_t x = std::bit_cast<uint32_t>(f);
    if ((x & 0x7fffffffu) > 0x7f800000u) return {0x7fff};
    return {uint16_t((x + 0x7fffu + ((x >> 16) & 1)) >> 16)};
}

inline float to_float(half16 v) {
    uint32_t sign = uint32_t(v.bits & 0x8000u) << 16, rest = v.bits & 0x7fffu;
    if (rest >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    if (rest < 0x400u) return (sign ? -1.0f : 1.0f) * float(rest) * 0x1p-24f;
    return std::bit_cast<float>(sign | ((rest << 13) + 0x38000000u));
}

inline half16 round_half(float f) {
    uint32_t x = std::bit_cast<uint32_t>(f), sign = (x >> 16) & 0x8000u;
    x &= 0x7fffffffu;
    if (x > 0x7f800000u) return {uint16_t(sign | 0x7fffu)};
    if (x >= 0x477ff000u) return {uint16_t(sign | 0x7c00u)};
    // below the smallest normal number: adding 0.5, whose last place is 2^-24, rounds to the grid of the subnormals
    if (x < 0x38800000u) return {uint16_t(sign | (std::bit_cast<uint32_t>(std::bit_cast<float>(x) + 0.5f) - 0x3f000000u))};
    x += 0xfffu + ((x >> 13) & 1);
    return {uint16_t(sign | ((x - 0x38000000u) >> 13))};
}

/// The value as a tensor core reads it in TF32: 10 bits of fraction, ties away from zero (cvt.rna.tf32.f32).
inline float round_tf32(float f) {
    uint32_t x = std::bit_cast<uint32_t>(f);
    if ((x & 0x7f800000u) == 0x7f800000u) return f;
    return std::bit_cast<float>((x + 0x1000u) & 0xffffe000u);
}

template <class A, class T> inline A widen(T v) { return A(v); }
template <> inline float widen<float, bf16>(bf16 v) { return to_float(v); }
template <> inline float widen<float, half16>(half16 v) { return to_float(v); }
template <> inline double widen<double, bf16>(bf16 v) { return to_float(v); }
template <> inline double widen<double, half16>(half16 v) { return to_float(v); }

template <class T, class A> inline T narrow(A v) { return T(v); }
template <> inline bf16 narrow<bf16, float>(float v) { return round_bf16(v); }
template <> inline half16 narrow<half16, float>(float v) { return round_half(v); }
template <> inline bf16 narrow<bf16, double>(double v) { return round_bf16(float(v)); }
template <> inline half16 narrow<half16, double>(double v) { return round_half(float(v)); }

// ---- the stand-in driver (emu.h says what it offers) ----------------------------------------------------------------

/// Functions of the stand-in libcuda.so.1, found at run time: without that driver work runs at once and all memory is good.
struct Driver {
    int (*enqueue)(void *stream, const char *name, void (*work)(void *), const void *argument, size_t bytes) = nullptr;
    int (*inside)(const void *address, size_t bytes) = nullptr;
    int (*capturing)(void *stream) = nullptr;
    int (*broken)() = nullptr;
    void (*complain)(const char *text) = nullptr;

    Driver() {
        void *library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
        if (library == nullptr) return;
        find(library, "graft_emu_enqueue", enqueue);
        find(library, "graft_emu_inside", inside);
        find(library, "graft_emu_capturing", capturing);
        find(library, "graft_emu_broken", broken);
        find(library, "graft_emu_complain", complain);
    }

private:
    template <class F> static void find(void *library, const char *name, F &to) {
        to = reinterpret_cast<F>(dlsym(library, name));
    }
};

inline const Driver &driver() {
    static const Driver found;
    return found;
}

/// True when [address, address + bytes) may be used by the device.
inline bool good(const void *address, size_t bytes) {
    if (bytes == 0) return true;
    if (address == nullptr) return false;
    return driver().inside == nullptr || driver().inside(address, bytes) != 0;
}

/// True while work on that stream is only recorded: nothing may wait for it.
inline bool capturing(void *stream) { return driver().capturing != nullptr && driver().capturing(stream) != 0; }

/// True since an earlier call has broken the context: on a real device every library call fails from then on.
inline bool broken() { return driver().broken != nullptr && driver().broken() != 0; }

inline void complain(const char *what) {
    if (driver().complain != nullptr)
        driver().complain(what);
    else
        std::fprintf(stderr, "graft emulator: %s\n", what);
}

/// Within enqueued work: what a kernel that meets bad memory does.  The driver catches the access and breaks the context.
inline void fault(const char *what) {
    complain(what);
    if (driver().enqueue == nullptr) return;
    volatile uintptr_t nowhere = 64;                  // volatile twice: the compiler must not see through it
    (void)*reinterpret_cast<const volatile char *>(nowhere);
}

/// Runs work(copy of argument) in the order of the stream, or records it while the stream is captured.  0 when taken.
template <class T>
int enqueue(void *stream, const char *name, void (*work)(T *), const T &argument, size_t bytes = sizeof(T)) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (driver().enqueue != nullptr)
        return driver().enqueue(stream, name, reinterpret_cast<void (*)(void *)>(work), &argument, bytes);
    work(const_cast<T *>(&argument));
    return 0;
}

// ---- handles -----------------------------------------------------------------------------------------------------

/// The objects handed out and not yet destroyed: a stale or foreign handle is refused rather than followed.
template <class T> class Live {
    std::mutex lock;
    std::set<void *> all;

public:
    T *make() {
        T *object = new T();
        std::lock_guard<std::mutex> guard(lock);
        all.insert(object);
        return object;
    }
    T *find(void *handle) {
        std::lock_guard<std::mutex> guard(lock);
        return all.count(handle) ? static_cast<T *>(handle) : nullptr;
    }
    bool destroy(void *handle) {
        {
            std::lock_guard<std::mutex> guard(lock);
            if (all.erase(handle) == 0) return false;
        }
        delete static_cast<T *>(handle);
        return true;
    }
};

}  // namespace standin
