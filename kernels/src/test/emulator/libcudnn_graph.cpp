// A stand-in for libcudnn.so.9: the objects of the graph API, their attributes and what is checked when they are finalised.
#include "cudnn_graph.h"
#include <memory>
#include <mutex>
#include <set>

namespace cudnn::graph {

bool operation(int type) {
    return type == OP_FORWARD || type == OP_FILTER || type == OP_DATA || type == OP_POINTWISE || type == OP_MATMUL
            || type == OP_REDUCTION;
}

bool convolves(int type) { return type == OP_FORWARD || type == OP_FILTER || type == OP_DATA; }

const std::vector<Rule> &rules() {
    constexpr int64_t MANY = 64;
    static const std::vector<Rule> all = {
            {TENSOR, 900, T_INT64, 1, 1, Rule::required, -1},          // byte alignment
            {TENSOR, 901, T_DATA_TYPE, 1, 1, Rule::required, -1},
            {TENSOR, 902, T_INT64, 1, DIM_MAX, Rule::required, -1},    // dimensions
            {TENSOR, 903, T_INT64, 1, DIM_MAX, Rule::required, -1},    // strides
            {TENSOR, 904, T_INT64, 1, 1, Rule::optional, -1},          // vector count
            {TENSOR, 905, T_INT64, 1, 1, Rule::optional, -1},          // vectorised dimension
            {TENSOR, 906, T_INT64, 1, 1, Rule::required, -1},          // unique id
            {TENSOR, 907, T_BOOLEAN, 1, 1, Rule::optional, -1},        // is virtual
            {TENSOR, 908, T_BOOLEAN, 1, 1, Rule::optional, -1},        // is by value
            {CONVOLUTION, 100, T_DATA_TYPE, 1, 1, Rule::required, -1},
            {CONVOLUTION, 101, T_CONVOLUTION_MODE, 1, 1, Rule::required, -1},
            {CONVOLUTION, 102, T_INT64, 1, 6, Rule::required, -1},     // dilations
            {CONVOLUTION, 103, T_INT64, 1, 6, Rule::required, -1},     // strides
            {CONVOLUTION, 104, T_INT64, 1, 6, Rule::required, -1},     // padding behind
            {CONVOLUTION, 105, T_INT64, 1, 6, Rule::required, -1},     // padding before
            {CONVOLUTION, 106, T_INT64, 1, 1, Rule::required, -1},     // spatial dimensions
            {POINTWISE, 0, T_POINTWISE_MODE, 1, 1, Rule::required, -1},
            {POINTWISE, 1, T_DATA_TYPE, 1, 1, Rule::required, -1},
            {POINTWISE, 2, T_NAN, 1, 1, Rule::optional, -1},
            {POINTWISE, 3, T_REAL, 1, 1, Rule::optional, -1},          // lower clip
            {POINTWISE, 4, T_REAL, 1, 1, Rule::optional, -1},          // upper clip
            {POINTWISE, 5, T_REAL, 1, 1, Rule::optional, -1},          // slope below the lower clip
            {POINTWISE, 6, T_REAL, 1, 1, Rule::optional, -1},          // ELU's alpha
            {POINTWISE, 7, T_REAL, 1, 1, Rule::optional, -1},          // softplus' beta
            {POINTWISE, 8, T_REAL, 1, 1, Rule::optional, -1},          // swish' beta
            {POINTWISE, 9, T_INT64, 1, 1, Rule::optional, -1},         // axis
            {MATMUL, 1500, T_DATA_TYPE, 1, 1, Rule::required, -1},
            {REDUCTION, 1600, T_REDUCTION, 1, 1, Rule::required, -1},
            {REDUCTION, 1601, T_DATA_TYPE, 1, 1, Rule::required, -1},
            {OP_FORWARD, 700, T_REAL, 1, 1, Rule::required, -1},
            {OP_FORWARD, 701, T_REAL, 1, 1, Rule::required, -1},
            {OP_FORWARD, 702, T_DESCRIPTOR, 1, 1, Rule::required, CONVOLUTION},
            {OP_FORWARD, 703, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_FORWARD, 704, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_FORWARD, 705, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_DATA, 706, T_REAL, 1, 1, Rule::required, -1},
            {OP_DATA, 707, T_REAL, 1, 1, Rule::required, -1},
            {OP_DATA, 708, T_DESCRIPTOR, 1, 1, Rule::required, CONVOLUTION},
            {OP_DATA, 709, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_DATA, 710, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_DATA, 711, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_FILTER, 712, T_REAL, 1, 1, Rule::required, -1},
            {OP_FILTER, 713, T_REAL, 1, 1, Rule::required, -1},
            {OP_FILTER, 714, T_DESCRIPTOR, 1, 1, Rule::required, CONVOLUTION},
            {OP_FILTER, 715, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_FILTER, 716, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_FILTER, 717, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_POINTWISE, 750, T_DESCRIPTOR, 1, 1, Rule::required, POINTWISE},
            {OP_POINTWISE, 751, T_DESCRIPTOR, 1, 1, Rule::optional, TENSOR},    // x
            {OP_POINTWISE, 752, T_DESCRIPTOR, 1, 1, Rule::optional, TENSOR},    // b
            {OP_POINTWISE, 753, T_DESCRIPTOR, 1, 1, Rule::optional, TENSOR},    // y
            {OP_POINTWISE, 754, T_REAL, 1, 1, Rule::optional, -1},              // alpha1
            {OP_POINTWISE, 755, T_REAL, 1, 1, Rule::optional, -1},              // alpha2
            {OP_POINTWISE, 756, T_DESCRIPTOR, 1, 1, Rule::optional, TENSOR},    // dx
            {OP_POINTWISE, 757, T_DESCRIPTOR, 1, 1, Rule::optional, TENSOR},    // dy
            {OP_POINTWISE, 758, T_DESCRIPTOR, 1, 1, Rule::optional, TENSOR},    // t
            {OP_MATMUL, 1520, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_MATMUL, 1521, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_MATMUL, 1522, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_MATMUL, 1523, T_DESCRIPTOR, 1, 1, Rule::required, MATMUL},
            {OP_REDUCTION, 1610, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_REDUCTION, 1611, T_DESCRIPTOR, 1, 1, Rule::required, TENSOR},
            {OP_REDUCTION, 1612, T_DESCRIPTOR, 1, 1, Rule::required, REDUCTION},
            {GRAPH, 800, T_HANDLE, 1, 1, Rule::required, -1},
            {GRAPH, 801, T_DESCRIPTOR, 1, MANY, Rule::required, -2},
            {GRAPH, 802, T_INT64, 1, 1, Rule::output, -1},                      // number of engines
            {ENGINE, 1300, T_DESCRIPTOR, 1, 1, Rule::required, GRAPH},
            {ENGINE, 1301, T_INT64, 1, 1, Rule::required, -1},
            {ENGINE, 1302, T_DESCRIPTOR, 1, MANY, Rule::output, -1},            // knobs: none
            {ENGINE, 1303, T_NUMERICAL_NOTE, 1, MANY, Rule::output, -1},
            {ENGINE, 1304, T_DESCRIPTOR, 1, MANY, Rule::output, -1},            // layout information: none
            {ENGINE, 1305, T_BEHAVIOR_NOTE, 1, MANY, Rule::output, -1},
            {ENGINECFG, 300, T_DESCRIPTOR, 1, 1, Rule::required, ENGINE},
            {ENGINEHEUR, 200, T_HEUR_MODE, 1, 1, Rule::required, -1},
            {ENGINEHEUR, 201, T_DESCRIPTOR, 1, 1, Rule::required, GRAPH},
            {ENGINEHEUR, 202, T_DESCRIPTOR, 1, MANY, Rule::output, ENGINECFG},
            {ENGINEHEUR, 203, T_INT32, 1, 1, Rule::optional, -1},               // multiprocessors to use
            {PLAN, 400, T_HANDLE, 1, 1, Rule::required, -1},
            {PLAN, 401, T_DESCRIPTOR, 1, 1, Rule::required, ENGINECFG},
            {PLAN, 402, T_INT64, 1, 1, Rule::output, -1},
            {VARIANT_PACK, 1000, T_INT64, 1, MANY, Rule::required, -1},
            {VARIANT_PACK, 1001, T_POINTER, 1, MANY, Rule::required, -1},
            {VARIANT_PACK, 1003, T_POINTER, 1, 1, Rule::optional, -1},
    };
    return all;
}

const Rule *rule(int owner, int name) {
    for (const Rule &r : rules())
        if (r.owner == owner && r.name == name) return &r;
    return nullptr;
}

size_t elementWidth(int type) {
    switch (type) {
        case T_HANDLE:
        case T_INT64:
        case T_DOUBLE:
        case T_POINTER:
        case T_DESCRIPTOR: return 8;
        case T_BOOLEAN: return 1;
        default: return 4;
    }
}

Tensor tensorOf(const Descriptor &d) {
    Tensor t;
    t.rank = int(d.get(902)->count);
    t.type = d.number(901);
    for (int i = 0; i < t.rank; i++) {
        t.dim[i] = d.integer(902, i);
        t.stride[i] = d.integer(903, i);
    }
    return t;
}

int64_t uidOf(const Descriptor &tensor) { return tensor.integer(906); }
bool isVirtual(const Descriptor &tensor) { return tensor.flag(907); }

std::vector<int> inputNames(const Descriptor &op) {
    switch (op.type) {
        case OP_FORWARD: return {704, 703};
        case OP_DATA: return {709, 711};
        case OP_FILTER: return {716, 717};
        case OP_MATMUL: return {1520, 1521};
        case OP_REDUCTION: return {1610};
        default: {
            std::vector<int> names;
            for (int name : {751, 752, 757, 758})
                if (op.has(name)) names.push_back(name);
            return names;
        }
    }
}

int outputName(const Descriptor &op) {
    switch (op.type) {
        case OP_FORWARD: return 705;
        case OP_DATA: return 710;
        case OP_FILTER: return 715;
        case OP_MATMUL: return 1522;
        case OP_REDUCTION: return 1611;
        default: return op.has(756) ? 756 : 753;
    }
}

// ---- what finalising checks --------------------------------------------------------------------------------------------

namespace {

int validateTensor(const Descriptor &d) {
    if (d.get(902)->count != d.get(903)->count) return refuse(BAD_PARAM, "a tensor has as many strides as dimensions");
    int type = d.number(901);
    if (type < FLOAT || type > BOOLEAN) return refuse(NOT_SUPPORTED_TYPE, "the stand-in does not know that data type");
    for (int64_t i = 0; i < d.get(902)->count; i++)
        if (d.integer(902, i) <= 0 || d.integer(903, i) <= 0)
            return refuse(BAD_PARAM, "a dimension or stride is not positive");
    int64_t alignment = d.integer(900);
    if (alignment <= 0 || (alignment & (alignment - 1)) != 0 || alignment % int64_t(width(type)) != 0)
        return refuse(BAD_PARAM, "the byte alignment is a power of two and a multiple of the element's size");
    if (d.flag(907) && d.flag(908)) return refuse(BAD_PARAM, "a tensor is not virtual and by value at once");
    return SUCCESS;
}

int validateConvolution(const Descriptor &d) {
    int64_t rank = d.integer(106);
    if (rank < 1 || rank > 3) return refuse(BAD_PARAM, "a convolution has one to three spatial dimensions");
    for (int name : {102, 103, 104, 105})
        if (d.get(name)->count != rank) return refuse(BAD_PARAM, "one number for each spatial dimension");
    for (int64_t i = 0; i < rank; i++) {
        if (d.integer(102, i) < 1 || d.integer(103, i) < 1) return refuse(BAD_PARAM, "a dilation or stride is not positive");
        if (d.integer(104, i) < 0 || d.integer(105, i) < 0) return refuse(BAD_PARAM, "a padding is negative");
    }
    int compute = d.number(100), mode = d.number(101);
    if (mode != 0 && mode != 1) return refuse(BAD_PARAM, "unknown convolution mode");
    if (!floating(compute) || compute == BFLOAT16)
        return refuse(NOT_SUPPORTED_TYPE, "the compute type is float, half or double");
    return SUCCESS;
}

bool knownMode(int mode) {
    return (mode >= 0 && mode <= 22) || (mode >= 100 && mode <= 107) || (mode >= 200 && mode <= 207)
            || (mode >= 300 && mode <= 305) || (mode >= 400 && mode <= 402) || mode == 601;
}

bool binary(int mode) { return mode <= 3 || (mode >= 5 && mode <= 9) || (mode >= 300 && mode <= 401); }

int validatePointwise(const Descriptor &d) {
    const Descriptor &what = *d.child(750);
    int mode = what.number(0);
    bool backward = mode >= 200 && mode < 300;
    if (backward ? !(d.has(751) && d.has(756) && d.has(757)) : !(d.has(751) && d.has(753)))
        return refuse(BAD_PARAM, backward ? "a backward operation has x, dy and dx" : "an operation has x and y");
    if (backward ? d.has(753) : d.has(756) || d.has(757))
        return refuse(BAD_PARAM, "dx and dy are for backward operations, y for forward");
    if ((binary(mode) || mode == 601) != d.has(752)) return refuse(BAD_PARAM, "b is for operations with two operands");
    if ((mode == 601) != d.has(758)) return refuse(BAD_PARAM, "t is for the selection");
    Tensor out = tensorOf(*d.child(outputName(d)));
    for (int name : inputNames(d)) {
        Tensor in = tensorOf(*d.child(name));
        if (in.rank != out.rank) return refuse(SHAPE_MISMATCH, "operands have as many dimensions as the result");
        for (int i = 0; i < in.rank; i++)
            if (in.dim[i] != 1 && in.dim[i] != out.dim[i])
                return refuse(SHAPE_MISMATCH, "an operand does not repeat to the result");
    }
    return SUCCESS;
}

int validateMatmul(const Descriptor &d) {
    Tensor a = tensorOf(*d.child(1520)), b = tensorOf(*d.child(1521)), c = tensorOf(*d.child(1522));
    int r = c.rank;
    if (a.rank != r || b.rank != r || r < 3)
        return refuse(SHAPE_MISMATCH, "a product has a batch dimension and equal ranks");
    if (a.dim[r - 2] != c.dim[r - 2] || b.dim[r - 1] != c.dim[r - 1] || a.dim[r - 1] != b.dim[r - 2])
        return refuse(SHAPE_MISMATCH, "the factors do not fit");
    for (int i = 0; i < r - 2; i++)
        if ((a.dim[i] != 1 && a.dim[i] != c.dim[i]) || (b.dim[i] != 1 && b.dim[i] != c.dim[i]))
            return refuse(SHAPE_MISMATCH, "the batches do not fit");
    return SUCCESS;
}

int validateReduction(const Descriptor &d) {
    Tensor x = tensorOf(*d.child(1610)), y = tensorOf(*d.child(1611));
    if (x.rank != y.rank) return refuse(SHAPE_MISMATCH, "x and y have the same number of dimensions");
    for (int i = 0; i < x.rank; i++)
        if (y.dim[i] != 1 && y.dim[i] != x.dim[i]) return refuse(SHAPE_MISMATCH, "each dimension of y is 1 or that of x");
    return SUCCESS;
}

int validateGraph(const Descriptor &d) {
    if (handle(d.at<void *>(800)) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    std::map<int64_t, const Descriptor *> tensors;
    std::set<int64_t> produced;
    const std::vector<Shared> &ops = d.get(801)->children;
    if (ops.size() > 32) return refuse(NOT_SUPPORTED, "the stand-in takes 32 operations");
    auto meet = [&](const Descriptor *t) {
        auto [at, fresh] = tensors.emplace(uidOf(*t), t);
        if (fresh || at->second == t) return true;
        Tensor a = tensorOf(*t), b = tensorOf(*at->second);
        return a.type == b.type && sameDims(a, b) && std::equal(a.stride, a.stride + a.rank, b.stride)
                && isVirtual(*t) == isVirtual(*at->second);
    };
    for (const Shared &op : ops) {
        for (int name : inputNames(*op))
            if (!meet(op->child(name))) return refuse(BAD_PARAM, "two tensors share a unique id");
        const Descriptor *out = op->child(outputName(*op));
        if (!meet(out)) return refuse(BAD_PARAM, "two tensors share a unique id");
        if (!produced.insert(uidOf(*out)).second) return refuse(BAD_PARAM, "two operations write one tensor");
        if (out->flag(908)) return refuse(BAD_PARAM, "a by-value tensor is written");
    }
    for (const auto &[uid, t] : tensors)
        if (isVirtual(*t) && !produced.count(uid)) return refuse(BAD_PARAM, "a virtual tensor that nothing computes");
    // every operation must become ready once those before it have run: otherwise there is a circle
    std::set<int64_t> ready;
    size_t done = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (const Shared &op : ops) {
            int64_t out = uidOf(*op->child(outputName(*op)));
            if (ready.count(out)) continue;
            bool can = true;
            for (int name : inputNames(*op)) {
                int64_t uid = uidOf(*op->child(name));
                can &= !produced.count(uid) || ready.count(uid);
            }
            if (can) {
                ready.insert(out);
                done++;
                moved = true;
            }
        }
    }
    return done == ops.size() ? SUCCESS : refuse(BAD_PARAM, "the operations form a circle");
}

int validatePack(const Descriptor &d) {
    if (d.get(1000)->count != d.get(1001)->count) return refuse(BAD_PARAM, "as many pointers as unique ids");
    std::set<int64_t> seen;
    for (int64_t i = 0; i < d.get(1000)->count; i++)
        if (!seen.insert(d.integer(1000, i)).second) return refuse(DUPLICATED_ENTRIES, "a unique id is given twice");
    return SUCCESS;
}

}  // namespace

int problemOf(const Descriptor &op, Problem &p) {
    bool forward = op.type == OP_FORWARD, data = op.type == OP_DATA;
    const Descriptor &conv = *op.child(forward ? 702 : data ? 708 : 714);
    Tensor x = tensorOf(*op.child(forward ? 704
                           : data         ? 710
                                          : 716)),
           w = tensorOf(*op.child(forward ? 703
                           : data         ? 709
                                          : 715)),
           y = tensorOf(*op.child(forward ? 705
                           : data         ? 711
                                          : 717));
    int rank = int(conv.integer(106));
    if (x.rank != rank + 2 || w.rank != rank + 2 || y.rank != rank + 2)
        return refuse(BAD_PARAM, "numbers of dimensions differ");
    if (x.dim[1] % w.dim[1] != 0) return refuse(SHAPE_MISMATCH, "channels of input and filter do not match");
    p.groups = x.dim[1] / w.dim[1];
    if (w.dim[0] % p.groups != 0) return refuse(SHAPE_MISMATCH, "the outputs cannot be divided among the groups");
    if (x.dim[0] != y.dim[0] || y.dim[1] != w.dim[0]) return refuse(SHAPE_MISMATCH, "images or channels of the output");
    for (int i = 0; i < rank; i++) {
        int at = 3 - rank + i;
        p.pad[at] = conv.integer(105, i);
        p.stride[at] = conv.integer(103, i);
        p.dilation[at] = conv.integer(102, i);
        int64_t span = x.dim[2 + i] + p.pad[at] + conv.integer(104, i) - ((w.dim[2 + i] - 1) * p.dilation[at] + 1);
        if (span < 0 || y.dim[2 + i] != 1 + span / p.stride[at]) return refuse(SHAPE_MISMATCH, "spatial size of the output");
    }
    p.x = fiveDims(x);
    p.w = fiveDims(w);
    p.y = fiveDims(y);
    p.flip = conv.number(101) == 0;
    return SUCCESS;
}

int validate(const Descriptor &d) {
    switch (d.type) {
        case TENSOR: return validateTensor(d);
        case CONVOLUTION: return validateConvolution(d);
        case POINTWISE:
            if (!knownMode(d.number(0))) return refuse(NOT_SUPPORTED, "the stand-in does not know that pointwise mode");
            return d.number(1) == FLOAT || d.number(1) == DOUBLE || d.number(1) == HALF
                    ? SUCCESS
                    : refuse(NOT_SUPPORTED_TYPE, "pointwise operations compute in float, half or double");
        case REDUCTION: return d.number(1600) >= 0 && d.number(1600) <= 8 ? SUCCESS : refuse(BAD_PARAM, "unknown reduction");
        case OP_FORWARD:
        case OP_DATA:
        case OP_FILTER: {
            Problem p;
            return problemOf(d, p);
        }
        case OP_POINTWISE: return validatePointwise(d);
        case OP_MATMUL: return validateMatmul(d);
        case OP_REDUCTION: return validateReduction(d);
        case GRAPH: return validateGraph(d);
        case ENGINE: {
            int64_t index = d.integer(1301);
            if (index < 0 || index >= ENGINES) return refuse(BAD_PARAM, "no engine has that index");
            const char *why;
            int status = supports(*d.child(1300), index, &why);
            return status == SUCCESS || status == NOT_SUPPORTED_SHAPE ? SUCCESS : refuse(status, why);
        }
        case ENGINEHEUR: {
            int mode = d.number(200);
            if (mode < 0 || mode > 3) return refuse(BAD_PARAM, "unknown mode of the heuristics");
            return heuristics(*d.child(201), mode).empty() ? refuse(NOT_SUPPORTED_PATTERN, "no engine knows such a graph")
                                                           : SUCCESS;
        }
        case PLAN: {
            if (handle(d.at<void *>(400)) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
            const Descriptor &engine = *d.child(401)->child(300);
            const char *why;
            int status = supports(*engine.child(1300), engine.integer(1301), &why);
            return status == SUCCESS ? SUCCESS : refuse(status, why);
        }
        case VARIANT_PACK: return validatePack(d);
        default: return SUCCESS;
    }
}

// ---- the seven functions -----------------------------------------------------------------------------------------------

namespace {

std::mutex lock;

std::map<void *, Shared> &live() {
    static std::map<void *, Shared> &all = *new std::map<void *, Shared>();
    return all;
}

Shared find(void *pointer) {
    std::lock_guard<std::mutex> guard(lock);
    auto found = live().find(pointer);
    return found == live().end() ? nullptr : found->second;
}

bool fits(int wanted, int given) { return wanted == given || (wanted == T_REAL && (given == T_FLOAT || given == T_DOUBLE)); }

bool kind(int wanted, int type) { return wanted == -2 ? operation(type) : wanted == type; }

template <class T> Attribute values(int type, const std::vector<T> &from) {
    Attribute a{type, int64_t(from.size()), std::vector<unsigned char>(from.size() * sizeof(T)), {}};
    if (!from.empty()) std::memcpy(a.bytes.data(), from.data(), a.bytes.size());
    return a;
}

/// Makes what a finalised descriptor tells by itself.
void derive(Descriptor &d) {
    if (d.type == GRAPH) d.attributes[802] = values<int64_t>(T_INT64, {ENGINES});
    if (d.type == ENGINE) {
        const Descriptor &graph = *d.child(1300);
        d.attributes[1302] = values<int64_t>(T_DESCRIPTOR, {});
        d.attributes[1303] = values<int>(T_NUMERICAL_NOTE, notes(graph, d.integer(1301)));
        d.attributes[1304] = values<int64_t>(T_DESCRIPTOR, {});
        d.attributes[1305] =
                values<int>(T_BEHAVIOR_NOTE, d.integer(1301) == RUNTIME_FUSION ? std::vector<int>{0} : std::vector<int>{});
    }
    if (d.type == PLAN) {
        const Descriptor &engine = *d.child(401)->child(300);
        d.attributes[402] = values<int64_t>(T_INT64, {int64_t(workspaceOf(*engine.child(1300), engine.integer(1301)))});
    }
    if (d.type == ENGINEHEUR) {
        Attribute results{T_DESCRIPTOR, 0, {}, {}};
        for (int64_t index : heuristics(*d.child(201), d.number(200))) {
            Shared engine = std::make_shared<Descriptor>(Descriptor{ENGINE, true, {}});
            engine->attributes[1300] = d.attributes[201];
            engine->attributes[1301] = values<int64_t>(T_INT64, {index});
            derive(*engine);
            Shared config = std::make_shared<Descriptor>(Descriptor{ENGINECFG, true, {}});
            config->attributes[300] = Attribute{T_DESCRIPTOR, 1, {}, {engine}};
            results.children.push_back(config);
        }
        results.count = int64_t(results.children.size());
        d.attributes[202] = results;
    }
}

}  // namespace

}  // namespace cudnn::graph

using namespace cudnn;
using namespace cudnn::graph;

STAND_IN_API int cudnnBackendCreateDescriptor(int type, void **to) {
    if (to == nullptr) return refuse(NULL_POINTER, "nowhere to put the descriptor");
    bool known = false;
    for (const Rule &r : rules()) known |= r.owner == type;
    if (!known) return refuse(NOT_SUPPORTED, "the stand-in does not have that kind of descriptor");
    Shared made = std::make_shared<Descriptor>(Descriptor{type, false, {}});
    *to = made.get();
    std::lock_guard<std::mutex> guard(lock);
    live()[made.get()] = made;
    return SUCCESS;
}

STAND_IN_API int cudnnBackendDestroyDescriptor(void *pointer) {
    std::lock_guard<std::mutex> guard(lock);
    return live().erase(pointer) ? SUCCESS : refuse(BAD_PARAM, "a descriptor that is not alive is destroyed");
}

STAND_IN_API int cudnnBackendInitialize(void *pointer) {
    Shared d = find(pointer);
    if (d == nullptr) return refuse(NULL_POINTER, "the descriptor is not alive");
    d->finalized = false;
    d->attributes.clear();
    return SUCCESS;
}

STAND_IN_API int cudnnBackendSetAttribute(void *pointer, int name, int type, int64_t count, const void *elements) {
    Shared d = find(pointer);
    if (d == nullptr) return refuse(NULL_POINTER, "the descriptor is not alive");
    if (d->finalized) return refuse(NOT_INITIALIZED, "the descriptor is finalised already");
    const Rule *r = rule(d->type, name);
    if (r == nullptr || r->use == Rule::output)
        return refuse(BAD_PARAM, "this kind of descriptor has no such attribute to set");
    if (!fits(r->type, type)) return refuse(ATTRIBUTE_TYPE, "the attribute has another type");
    if (count < r->least || count > r->most) return refuse(BAD_PARAM, "the attribute has another number of elements");
    if (elements == nullptr) return refuse(NULL_POINTER, "no elements");
    Attribute a{type, count, {}, {}};
    if (type == T_DESCRIPTOR) {
        for (int64_t i = 0; i < count; i++) {
            Shared child = find(static_cast<void *const *>(elements)[i]);
            if (child == nullptr) return refuse(NULL_POINTER, "a descriptor among the elements is not alive");
            if (!kind(r->child, child->type)) return refuse(DESCRIPTOR_TYPE, "a descriptor of another kind is wanted");
            if (!child->finalized) return refuse(NOT_FINALIZED, "a descriptor among the elements is not finalised");
            a.children.push_back(child);
        }
    } else {
        a.bytes.resize(size_t(count) * elementWidth(type));
        std::memcpy(a.bytes.data(), elements, a.bytes.size());
    }
    d->attributes[name] = a;
    return SUCCESS;
}

STAND_IN_API int cudnnBackendFinalize(void *pointer) {
    Shared d = find(pointer);
    if (d == nullptr) return refuse(NULL_POINTER, "the descriptor is not alive");
    if (d->finalized) return refuse(BAD_PARAM, "the descriptor is finalised already");
    for (const Rule &r : rules())
        if (r.owner == d->type && r.use == Rule::required && !d->has(r.name)) {
            static thread_local char text[80];
            std::snprintf(text, sizeof text, "attribute %d of descriptor type %d is missing", r.name, d->type);
            return refuse(BAD_PARAM, text);
        }
    int status = validate(*d);
    if (status != SUCCESS) return status;
    derive(*d);
    d->finalized = true;
    return SUCCESS;
}

STAND_IN_API int cudnnBackendGetAttribute(
        void *pointer, int name, int type, int64_t requested, int64_t *count, void *elements) {
    Shared d = find(pointer);
    if (d == nullptr) return refuse(NULL_POINTER, "the descriptor is not alive");
    if (!d->finalized) return refuse(NOT_FINALIZED, "the descriptor is not finalised");
    const Rule *r = rule(d->type, name);
    if (r == nullptr) return refuse(BAD_PARAM, "this kind of descriptor has no such attribute");
    if (!fits(r->type, type)) return refuse(ATTRIBUTE_TYPE, "the attribute has another type");
    if (requested < 0) return refuse(BAD_PARAM, "a negative number of elements");
    const Attribute *a = d->get(name);
    if (a == nullptr) return refuse(BAD_PARAM, "the attribute was never set");
    if (a->type != type) return refuse(ATTRIBUTE_TYPE, "the attribute was set with another type");
    if (count != nullptr) *count = elements == nullptr ? a->count : std::min(requested, a->count);
    if (elements == nullptr || requested == 0) {
        if (count != nullptr) *count = a->count;
        return SUCCESS;
    }
    int64_t n = std::min(requested, a->count);
    if (type != T_DESCRIPTOR) {
        std::memcpy(elements, a->bytes.data(), size_t(n) * elementWidth(type));
        return SUCCESS;
    }
    for (int64_t i = 0; i < n; i++) {
        Shared to = find(static_cast<void **>(elements)[i]);
        if (to == nullptr) return refuse(NULL_POINTER, "the elements are descriptors which the caller has made");
        if (to->type != a->children[size_t(i)]->type)
            return refuse(DESCRIPTOR_TYPE, "a descriptor of another kind is wanted");
        to->attributes = a->children[size_t(i)]->attributes;
        to->finalized = true;
    }
    return SUCCESS;
}

STAND_IN_API int cudnnBackendExecute(void *hp, void *planPointer, void *packPointer) {
    Handle *h = handle(hp);
    Shared plan = find(planPointer), pack = find(packPointer);
    if (h == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (plan == nullptr || pack == nullptr) return refuse(NULL_POINTER, "the plan or the variant pack is not alive");
    if (plan->type != PLAN || pack->type != VARIANT_PACK)
        return refuse(DESCRIPTOR_TYPE, "a plan and a variant pack are wanted");
    if (!plan->finalized || !pack->finalized) return refuse(NOT_FINALIZED, "the plan or the variant pack is not finalised");
    return execute(h, *plan, *pack);
}
