// A libnvrtc that compiles kernels for the emulated device: g++ on the same text, with cuda_host.h in front. What comes out
// is a shared object with a table of the extern "C" __global__ functions. In the folder "kernels"
// beside this library lie cuda_host.h, its precompiled form and "flags", g++ and its options one a line (all made by
// EmulatedCuda); results are kept there by hash.
#include "image.h"
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
namespace {
enum {
    SUCCESS = 0,
    OUT_OF_MEMORY = 1,
    INVALID_INPUT = 3,
    INVALID_PROGRAM = 4,
    INVALID_OPTION = 5,
    COMPILATION = 6,
    INTERNAL_ERROR = 11
};

struct Program {
    std::string source, name, log, image;
    std::vector<std::pair<std::string, std::string>> headers;
};

const char *TABLE_HEAD =
    "\n#line 1 \"emulated device\"\n"
    "#pragma GCC visibility push(default)\n"
    "#ifdef GRAFT_EMU_CHECKED\n"
    "extern \"C\" { extern const char graft_emu_checked; const char graft_emu_checked = 1; }\n"
    "#endif\n"
    "extern \"C\" unsigned char *graft_emu_anchor() { static thread_local unsigned char anchor; return &anchor; }\n"
    "extern \"C\" const graft_emu_kernel graft_emu_kernels[] = {\n";

std::string folder() {
    Dl_info info;
    static int here;
    if (!dladdr(&here, &info)) return ".";
    std::string s = info.dli_fname;
    return s.substr(0, s.rfind('/'));
}

std::string read(const std::string &file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

bool write(const std::string &file, const std::string &text) {
    std::ofstream out(file, std::ios::binary);
    out << text;
    out.close();
    return bool(out);
}

/// Runs a command with its output and errors in a file; the exit status, or -1.
int run(const std::vector<std::string> &command, const std::string &output) {
    std::vector<char *> args;
    for (auto &a : command) args.push_back(const_cast<char *>(a.c_str()));
    args.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    int status = posix_spawnp(&pid, args[0], &actions, nullptr, args.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status) return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// ------------------------------------------------------------------ kernels of a preprocessed text

std::vector<std::string> tokens(const std::string &s) {
    std::vector<std::string> t;
    for (size_t i = 0; i < s.size();) {
        if (s[i] == '#' && (i == 0 || s[i - 1] == '\n')) {
            while (i < s.size() && s[i] != '\n') i++;
            continue;
        }
        if (std::isspace((unsigned char) s[i])) {
            i++;
            continue;
        }
        size_t b = i;
        if (s[i] == '"' || s[i] == '\'') {
            char q = s[i++];
            while (i < s.size() && s[i] != q) i += s[i] == '\\' ? 2 : 1;
            i++;
        } else if (std::isalnum((unsigned char) s[i]) || s[i] == '_') {
            while (i < s.size() && (std::isalnum((unsigned char) s[i]) || s[i] == '_')) i++;
        } else i++;
        t.push_back(s.substr(b, i - b));
    }
    return t;
}

struct Kernel {
    std::string name, bounds;
};

/// The extern "C" kernels; others (templates, C++ names) cannot be found by name on a device either.
std::vector<Kernel> kernelsOf(const std::string &text) {
    auto t = tokens(text);
    std::vector<Kernel> found;
    std::vector<bool> c; // open braces: whether of an extern "C" block
    size_t begin = 0; // of the current declaration
    for (size_t i = 0; i < t.size(); i++) {
        if (t[i] == "{") {
            bool block = i >= 2 && t[i - 1] == "\"C\"" && t[i - 2] == "extern";
            c.push_back(block);
            begin = i + 1;
        } else if (t[i] == "}") {
            if (!c.empty()) c.pop_back();
            begin = i + 1;
        } else if (t[i] == ";") {
            begin = i + 1;
        } else if (t[i] == "__graft_kernel__") {
            bool linkage = false, isTemplate = false;
            for (bool b : c) linkage |= b;
            for (size_t k = begin; k < i; k++) {
                linkage |= t[k] == "\"C\"";
                isTemplate |= t[k] == "template";
            }
            Kernel k;
            size_t j = begin;
            for (; j < t.size() && t[j] != "{" && t[j] != ";"; j++) {
                if (t[j] == "__graft_bounds__" || t[j] == "__attribute__") {
                    bool bounds = t[j] == "__graft_bounds__";
                    int depth = 0;
                    std::string inside;
                    for (j++; j < t.size(); j++) {
                        if (t[j] == ")" && --depth == 0) break;
                        if (depth > 0) inside += t[j] + " ";
                        if (t[j] == "(") depth++;
                    }
                    if (bounds) k.bounds = inside;
                } else if (t[j] == "(") {
                    k.name = t[j - 1];
                    break;
                }
            }
            int depth = 0;
            for (; j < t.size(); j++) {
                if (t[j] == "(") depth++;
                else if (t[j] == ")" && --depth == 0) break;
            }
            bool definition = j + 1 < t.size() && t[j + 1] == "{";
            if (linkage && !isTemplate && !k.name.empty() && definition) found.push_back(k);
            i = j;
        }
    }
    return found;
}

// ------------------------------------------------------------------ options

struct Options {
    int capability = 75;
    std::string standard = "17";
    bool contract = true;
    std::vector<std::string> macros;
};

bool startsWith(const std::string &s, const char *p) { return s.rfind(p, 0) == 0; }

/// Answers "" or what is wrong. Options that change only speed or debugging are accepted and do nothing.
std::string parse(int n, const char *const *options, Options &out) {
    for (int i = 0; i < n; i++) {
        std::string o = options[i], value;
        if (startsWith(o, "-D")) {
            out.macros.push_back(o);
            continue;
        }
        size_t eq = o.find('=');
        if (eq != std::string::npos) {
            value = o.substr(eq + 1);
            o = o.substr(0, eq);
        }
        auto take = [&] {
            if (eq == std::string::npos && i + 1 < n) value = options[++i];
        };
        if (o == "--gpu-architecture" || o == "-arch") {
            take();
            int c = 0;
            char suffix = 0;
            if (std::sscanf(value.c_str(), "sm_%d%c", &c, &suffix) < 1 &&
                std::sscanf(value.c_str(), "compute_%d%c", &c, &suffix) < 1)
                return "nvrtc: error: invalid value for --gpu-architecture (-arch)";
            static const int known[] = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};
            bool ok = false;
            for (int k : known) ok |= k == c;
            if (!ok || (suffix && suffix != 'a' && suffix != 'f'))
                return "nvrtc: error: invalid value for --gpu-architecture (-arch)";
            out.capability = c;
        } else if (o == "--std" || o == "-std") {
            take();
            if (value != "c++11" && value != "c++14" && value != "c++17" && value != "c++20" && value != "c++03")
                return "nvrtc: error: invalid value for --std (-std)";
            if (value == "c++20") out.standard = "20";
        } else if (o == "--define-macro") {
            take();
            out.macros.push_back("-D" + value);
        } else if (o == "--fmad" || o == "-fmad") {
            take();
            out.contract = value != "false";
        } else if (o == "--ftz" || o == "-ftz" || o == "--prec-div" || o == "-prec-div" || o == "--prec-sqrt" ||
                   o == "-prec-sqrt" || o == "--maxrregcount" || o == "-maxrregcount" || o == "--ptxas-options" ||
                   o == "-Xptxas" || o == "--split-compile" || o == "-split-compile" || o == "--diag-suppress" ||
                   o == "-diag-suppress" || o == "--diag-error" || o == "-diag-error" || o == "--diag-warn" ||
                   o == "-diag-warn" || o == "--include-path" || o == "-I") {
            take();
        } else if (o != "--use_fast_math" && o != "-use_fast_math" && o != "--extra-device-vectorization" &&
                   o != "-extra-device-vectorization" && o != "--generate-line-info" && o != "-lineinfo" &&
                   o != "--device-debug" && o != "-G" && o != "--restrict" && o != "-restrict" &&
                   o != "--disable-warnings" && o != "-w" && o != "--device-as-default-execution-space" &&
                   o != "-default-device" && o != "--no-source-include" && o != "-no-source-include" &&
                   !startsWith(o, "-I") && o != "--minimal" && o != "-minimal") {
            return "nvrtc: error: unrecognized option " + std::string(options[i]) + " found";
        }
    }
    return "";
}

// ------------------------------------------------------------------ compiling

/// What the device's compiler would not find: it comes without any header.
std::string includeWithout(const Program &p) {
    std::istringstream in(p.source);
    std::string line;
    for (int n = 1; std::getline(in, line); n++) {
        size_t at = line.find_first_not_of(" \t");
        if (at == std::string::npos || line[at] != '#') continue;
        at = line.find_first_not_of(" \t", at + 1);
        if (at == std::string::npos || line.compare(at, 7, "include")) continue;
        size_t open = line.find_first_of("<\"", at),
               close = open == std::string::npos ? open : line.find_first_of(">\"", open + 1);
        std::string name = close == std::string::npos ? "" : line.substr(open + 1, close - open - 1);
        bool known = false;
        for (auto &h : p.headers) known |= h.first == name;
        if (!known)
            return p.name + "(" + std::to_string(n) + "): catastrophic error: cannot open source file \"" + name + "\"";
    }
    return "";
}

std::string replaceAll(std::string s, const std::string &from, const std::string &to) {
    for (size_t i = 0; (i = s.find(from, i)) != std::string::npos; i += to.size()) s.replace(i, from.size(), to);
    return s;
}

struct Folder {
    std::string path;
    explicit Folder(const std::string &in) {
        std::string t = in + "/build.XXXXXX";
        if (mkdtemp(t.data())) path = t;
    }
    ~Folder() {
        std::error_code ignored;
        if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }
};

int compile(Program &p, const Options &o) {
    std::string here = folder(), kernels = here + "/kernels";
    std::vector<std::string> flags;
    std::istringstream lines(read(kernels + "/flags"));
    for (std::string l; std::getline(lines, l);)
        if (!l.empty()) flags.push_back(replaceAll(l, "-std=c++17", "-std=c++" + o.standard));
    if (flags.empty()) {
        p.log = "libnvrtc stand-in: no file " + kernels + "/flags";
        return INTERNAL_ERROR;
    }
    std::string key = p.source + '\0' + p.name + '\0' + std::to_string(o.capability) + o.standard + char('0' + o.contract);
    for (auto &m : o.macros) key += '\0' + m;
    for (auto &f : flags) key += '\0' + f;
    for (auto &h : p.headers) key += '\0' + h.first + '\0' + h.second;
    char hex[40];
    std::snprintf(hex, sizeof hex, "%016llx%016llx", (unsigned long long) emu::imageHash(key.data(), key.size()),
        (unsigned long long) emu::imageHash(key.data(), key.size(), 0x9ae16a3b2f90404full));
    std::string kept = kernels + "/" + hex + ".bin";
    std::string image = read(kept);
    emu::ImageHead head{};
    if (image.size() > sizeof head) {
        std::memcpy(&head, image.data(), sizeof head);
        if (head.bytes == image.size() - sizeof head &&
            emu::imageHash(image.data() + sizeof head, head.bytes) == head.hash) {
            p.image = image;
            return SUCCESS;
        }
    }
    std::string missing = includeWithout(p);
    if (!missing.empty()) {
        p.log = missing + "\n\n1 catastrophic error detected in the compilation of \"" + p.name +
                "\".\nCompilation terminated.\n";
        return COMPILATION;
    }
    Folder f(kernels);
    if (f.path.empty()) {
        p.log = "libnvrtc stand-in: cannot write to " + kernels;
        return INTERNAL_ERROR;
    }
    for (auto &h : p.headers)
        if (!write(f.path + "/" + h.first, h.second)) return INTERNAL_ERROR;
    std::string text = "#line 1 \"" + p.name + "\"\n" + p.source;
    write(f.path + "/k.cu", text);
    // First the names of the kernels, which macros may have made: preprocessed with the qualifiers left visible.
    std::vector<std::string> scan = {flags[0], "-E", "-P", "-x", "c++", "-std=c++" + o.standard, "-DGRAFT_EMULATOR_SCAN",
        "-include", kernels + "/cuda_host.h", f.path + "/k.cu", "-o", f.path + "/k.ii"};
    for (auto &m : o.macros) scan.push_back(m);
    if (run(scan, f.path + "/scan.log")) {
        p.log = replaceAll(read(f.path + "/scan.log"), f.path + "/", "");
        return COMPILATION;
    }
    auto found = kernelsOf(read(f.path + "/k.ii"));
    text += TABLE_HEAD;
    for (auto &k : found) text += "GRAFT_EMU_KERNEL(" + k.name + (k.bounds.empty() ? "" : ", " + k.bounds) + ")\n";
    text += "{nullptr, nullptr, 0, nullptr, nullptr, 0}};\n#pragma GCC visibility pop\n";
    write(f.path + "/k.cpp", text);
    std::vector<std::string> build = flags;
    build.insert(
        build.end(), {"-shared", "-include", kernels + "/cuda_host.h", "-I" + f.path,
                         "-ffp-contract=" + std::string(o.contract ? "fast" : "off"), "-o", f.path + "/k.so",
                         f.path + "/k.cpp", "-L" + here, "-l:libcuda.so.1", "-nodefaultlibs", "-lm", "-lc", "-lgcc"});
    for (auto &m : o.macros) build.push_back(m);
    int status = run(build, f.path + "/log");
    p.log = replaceAll(read(f.path + "/log"), f.path + "/k.cpp", p.name);
    if (status) return COMPILATION;
    std::string code = read(f.path + "/k.so");
    std::set<std::string> names;
    for (auto &k : found) names.insert(k.name);
    for (auto &k : emu::sharedByKernel(reinterpret_cast<const unsigned char *>(code.data()), names)) {
        if (k.second <= 48 * 1024) continue;
        char s[200];
        std::snprintf(s, sizeof s,
            "ptxas error   : Entry function '%.100s' uses too much shared data (0x%x bytes, 0xc000 max)\n", k.first.c_str(),
            k.second);
        p.log += s;
        status = COMPILATION;
    }
    if (status) return COMPILATION;
    std::memcpy(head.magic, emu::IMAGE_MAGIC, sizeof head.magic);
    head.capability = o.capability;
    head.reserved = 0;
    head.bytes = code.size();
    head.hash = emu::imageHash(code.data(), code.size());
    p.image.assign(reinterpret_cast<const char *>(&head), sizeof head);
    p.image += code;
    std::string part = f.path + ".bin";
    if (write(part, p.image)) rename(part.c_str(), kept.c_str());
    return SUCCESS;
}
}

extern "C" {
int nvrtcVersion(int *major, int *minor) {
    *major = 13;
    *minor = 0;
    return SUCCESS;
}
const char *nvrtcGetErrorString(int e) {
    switch (e) {
        case SUCCESS: return "NVRTC_SUCCESS";
        case OUT_OF_MEMORY: return "NVRTC_ERROR_OUT_OF_MEMORY";
        case INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
        case INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
        case INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
        case COMPILATION: return "NVRTC_ERROR_COMPILATION";
        case INTERNAL_ERROR: return "NVRTC_ERROR_INTERNAL_ERROR";
        default: return "NVRTC_ERROR unknown";
    }
}
int nvrtcGetNumSupportedArchs(int *n) {
    *n = 12;
    return SUCCESS;
}
int nvrtcGetSupportedArchs(int *a) {
    for (int c : {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121}) *a++ = c;
    return SUCCESS;
}
int nvrtcCreateProgram(
    void **p, const char *source, const char *name, int headers, const char *const *texts, const char *const *names) {
    if (!p || !source || headers < 0) return INVALID_INPUT;
    auto x = new Program{source, name ? name : "default_program", "", "", {}};
    for (int i = 0; i < headers; i++) x->headers.push_back({names[i], texts[i]});
    *p = x;
    return SUCCESS;
}
int nvrtcDestroyProgram(void **p) {
    if (!p || !*p) return INVALID_PROGRAM;
    delete static_cast<Program *>(*p);
    *p = nullptr;
    return SUCCESS;
}
int nvrtcCompileProgram(void *p, int n, const char *const *options) {
    if (!p) return INVALID_PROGRAM;
    auto &x = *static_cast<Program *>(p);
    Options o;
    x.log = parse(n, options, o);
    if (!x.log.empty()) return INVALID_OPTION;
    return compile(x, o);
}
int nvrtcGetProgramLogSize(void *p, size_t *n) {
    if (!p) return INVALID_PROGRAM;
    *n = static_cast<Program *>(p)->log.size() + 1;
    return SUCCESS;
}
int nvrtcGetProgramLog(void *p, char *to) {
    if (!p) return INVALID_PROGRAM;
    auto &s = static_cast<Program *>(p)->log;
    std::memcpy(to, s.c_str(), s.size() + 1);
    return SUCCESS;
}
int nvrtcGetCUBINSize(void *p, size_t *n) {
    if (!p) return INVALID_PROGRAM;
    *n = static_cast<Program *>(p)->image.size();
    return SUCCESS;
}
int nvrtcGetCUBIN(void *p, char *to) {
    if (!p) return INVALID_PROGRAM;
    auto &s = static_cast<Program *>(p)->image;
    if (s.empty()) return INVALID_PROGRAM;
    std::memcpy(to, s.data(), s.size());
    return SUCCESS;
}
int nvrtcGetPTXSize(void *p, size_t *n) { return nvrtcGetCUBINSize(p, n); }
int nvrtcGetPTX(void *p, char *to) { return nvrtcGetCUBIN(p, to); }
}
