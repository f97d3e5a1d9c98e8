// The "cubin" of the emulated device: this head and a shared object.
#ifndef GRAFT_EMU_IMAGE_H
#define GRAFT_EMU_IMAGE_H
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <elf.h>
#include <map>
#include <set>
#include <string>

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

/// Bytes of static shared memory by kernel: the thread-local variables of the module, by the function they are in. Those of
/// device functions cannot be told apart by caller; the largest counts for every kernel.
inline std::map<std::string, unsigned> sharedByKernel(const unsigned char *elf, const std::set<std::string> &kernels) {
    auto &head = *reinterpret_cast<const Elf64_Ehdr *>(elf);
    auto sections = reinterpret_cast<const Elf64_Shdr *>(elf + head.e_shoff);
    std::map<std::string, unsigned> own;
    unsigned common = 0;
    for (int i = 0; i < head.e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        auto symbols = reinterpret_cast<const Elf64_Sym *>(elf + sections[i].sh_offset);
        auto names = reinterpret_cast<const char *>(elf + sections[sections[i].sh_link].sh_offset);
        for (size_t k = 0; k < sections[i].sh_size / sizeof(Elf64_Sym); k++) {
            if (ELF64_ST_TYPE(symbols[k].st_info) != STT_TLS || symbols[k].st_shndx == SHN_UNDEF) continue;
            std::string s = names + symbols[k].st_name, of;
            if (s.rfind("_ZZ", 0) == 0 && s.size() > 3 &&
                std::isdigit(static_cast<unsigned char>(s[3]))) { // _ZZ6kernelE4name
                size_t end;
                size_t n = std::stoul(s.substr(3), &end);
                of = s.substr(3 + end, n);
            }
            if (of == "graft_emu_anchor") continue;
            if (kernels.count(of)) own[of] += symbols[k].st_size;
            else common = std::max<unsigned>(common, symbols[k].st_size);
        }
    }
    for (auto &k : kernels) own[k] += common;
    return own;
}
}
#endif
