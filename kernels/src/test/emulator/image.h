// The "cubin" of the emulated device: this head and a shared object.
#ifndef GRAFT_EMU_IMAGE_H
#define GRAFT_EMU_IMAGE_H
#include <cstddef>
#include <cstdint>

namespace emu {
constexpr char IMAGE_MAGIC[9] = "GRAFTEMU";
struct ImageHead {
    char magic[8];
    int32_t capability, reserved;
    uint64_t bytes, hash;
};
inline uint64_t imageHash(const void *p, size_t n, uint64_t h = 0xcbf29ce484222325ull) {
    for (size_t i = 0; i < n; i++) h = (h ^ static_cast<const unsigned char *>(p)[i]) * 0x100000001b3ull;
    return h;
}
}
#endif
