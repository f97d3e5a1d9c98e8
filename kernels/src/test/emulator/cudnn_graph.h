// The graph API of the stand-in for cuDNN: its objects, and the plain form in which a finished graph waits in a stream.
#pragma once
#include "cudnn_stand_in.h"
#include <map>
#include <memory>
#include <set>

namespace cudnn::graph {

enum DescriptorType {
    POINTWISE = 0,
    CONVOLUTION = 1,
    ENGINE = 2,
    ENGINECFG = 3,
    ENGINEHEUR = 4,
    PLAN = 5,
    OP_FORWARD = 10,
    OP_FILTER = 11,
    OP_DATA = 12,
    OP_POINTWISE = 13,
    GRAPH = 15,
    VARIANT_PACK = 16,
    TENSOR = 17,
    MATMUL = 18,
    OP_MATMUL = 19,
    REDUCTION = 21,
    OP_REDUCTION = 22
};
enum AttributeType {
    T_HANDLE = 0,
    T_DATA_TYPE = 1,
    T_BOOLEAN = 2,
    T_INT64 = 3,
    T_FLOAT = 4,
    T_DOUBLE = 5,
    T_POINTER = 6,
    T_CONVOLUTION_MODE = 7,
    T_HEUR_MODE = 8,
    T_NAN = 10,
    T_NUMERICAL_NOTE = 11,
    T_POINTWISE_MODE = 14,
    T_DESCRIPTOR = 15,
    T_REDUCTION = 18,
    T_BEHAVIOR_NOTE = 19,
    T_INT32 = 23,
    T_REAL = -1                                     // in the table below: float or double, both are taken
};
enum NumericalNote { TENSOR_CORE = 0, DOWN_CONVERT_INPUTS = 1, NONDETERMINISTIC = 4 };

struct Descriptor;
using Shared = std::shared_ptr<Descriptor>;

/// The elements of one attribute, as they were given; other descriptors are kept alive by it.
struct Attribute {
    int type = 0;
    int64_t count = 0;
    std::vector<unsigned char> bytes;
    std::vector<Shared> children;
};

struct Descriptor {
    int type;
    bool finalized = false;
    std::map<int, Attribute> attributes;

    bool has(int name) const { return attributes.count(name) != 0; }
    const Attribute *get(int name) const {
        auto found = attributes.find(name);
        return found == attributes.end() ? nullptr : &found->second;
    }
    template <class T> T at(int name, int64_t index = 0) const {
        T value;
        std::memcpy(&value, attributes.at(name).bytes.data() + index * int64_t(sizeof(T)), sizeof(T));
        return value;
    }
    int64_t integer(int name, int64_t index = 0) const { return at<int64_t>(name, index); }
    int number(int name) const { return at<int>(name); }
    int number(int name, int otherwise) const { return has(name) ? number(name) : otherwise; }
    double real(int name, double otherwise) const {
        if (!has(name)) return otherwise;
        return attributes.at(name).type == T_DOUBLE ? at<double>(name) : at<float>(name);
    }
    bool flag(int name) const { return has(name) && at<unsigned char>(name) != 0; }
    const Descriptor *child(int name) const { return has(name) ? attributes.at(name).children[0].get() : nullptr; }
};

/// What one attribute of one kind of descriptor must look like.
struct Rule {
    int owner, name, type;
    int64_t least, most;
    enum Use { required, optional, output } use;
    int child;                                      // kind of descriptor, -1: no descriptor, -2: any operation
};

const Rule *rule(int owner, int name);
const std::vector<Rule> &rules();
size_t elementWidth(int type);

Tensor tensorOf(const Descriptor &descriptor);
int64_t uidOf(const Descriptor &tensor);
bool isVirtual(const Descriptor &tensor);

/// Checks a descriptor whose required attributes are all there.  SUCCESS or a refusal.
int validate(const Descriptor &descriptor);

/// The engines of the stand-in: tensor cores with fusion at run time, ready-made kernels, ready-made and non-deterministic.
constexpr int64_t ENGINES = 3;
enum Engine { RUNTIME_FUSION = 0, READY_MADE = 1, SPLIT = 2 };

int supports(const Descriptor &graph, int64_t engine, const char **why);
std::vector<int64_t> heuristics(const Descriptor &graph, int mode);
std::vector<int> notes(const Descriptor &graph, int64_t engine);
size_t workspaceOf(const Descriptor &graph, int64_t engine);

int execute(Handle *handle, const Descriptor &plan, const Descriptor &pack);

bool operation(int type);
std::vector<int> inputNames(const Descriptor &op);
int outputName(const Descriptor &op);
bool convolves(int type);

/// Geometry of a convolution operation; SUCCESS or a refusal.
int problemOf(const Descriptor &op, Problem &problem);

}  // namespace cudnn::graph
