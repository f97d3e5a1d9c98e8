// What the parts of the stand-in for libcudnn.so.9 share: descriptors, status codes, dense copies of strided tensors and the
// convolution itself.  Numbers of enums are those of the real headers.
#pragma once
#include "stand_in.h"
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <vector>

namespace cudnn {

using namespace standin;

constexpr size_t VERSION = 91900, CUDART = 13000;
constexpr int DIM_MAX = 8;

enum Status {
    SUCCESS = 0,
    NOT_INITIALIZED = 1001,
    BAD_PARAM = 2000,
    NULL_POINTER = 2002,
    MISALIGNED_POINTER = 2003,
    NOT_FINALIZED = 2004,
    OUT_OF_BOUND = 2005,
    SIZE_INSUFFICIENT = 2006,
    SHAPE_MISMATCH = 2008,
    DUPLICATED_ENTRIES = 2009,
    ATTRIBUTE_TYPE = 2010,
    DESCRIPTOR_TYPE = 2012,
    NOT_SUPPORTED = 3000,
    NOT_SUPPORTED_PATTERN = 3001,
    NOT_SUPPORTED_SHAPE = 3002,
    NOT_SUPPORTED_TYPE = 3003,
    NOT_SUPPORTED_LAYOUT = 3004,
    INTERNAL_ERROR = 4000,
    ALLOC_FAILED = 4003,
    EXECUTION_FAILED = 5000,
    EXECUTION_FAILED_CUDART = 5003
};
enum DataType {
    FLOAT = 0,
    DOUBLE = 1,
    HALF = 2,
    INT8 = 3,
    INT32 = 4,
    INT8x4 = 5,
    UINT8 = 6,
    UINT8x4 = 7,
    INT8x32 = 8,
    BFLOAT16 = 9,
    INT64 = 10,
    BOOLEAN = 11
};
enum Format { NCHW = 0, NHWC = 1, NCHW_VECT_C = 2 };
enum MathType { DEFAULT_MATH = 0, TENSOR_OP_MATH = 1, TENSOR_OP_MATH_ALLOW_CONVERSION = 2, FMA_MATH = 3 };
enum ActivationMode { SIGMOID = 0, RELU = 1, TANH = 2, CLIPPED_RELU = 3, ELU = 4, IDENTITY = 5, SWISH = 6 };

/// Remembers why (cudnnGetLastErrorString) and hands the status on; GRAFT_EMULATOR_LOG in the environment prints it too.
int refuse(int status, const char *why);
extern thread_local std::string lastError;

// ---- descriptors: plain data, copied by value into whatever is recorded in a stream -----------------------------------

struct Handle {
    void *stream = nullptr;
};

struct Tensor {
    int rank = 0, type = FLOAT; // rank 0: made but not set
    int64_t dim[DIM_MAX] = {}, stride[DIM_MAX] = {};
};

struct Filter {
    int rank = 0, type = FLOAT, format = NCHW;
    int64_t dim[DIM_MAX] = {};
};

struct Convolution {
    int rank = 0; // of the spatial part
    int64_t pad[DIM_MAX] = {}, stride[DIM_MAX] = {}, dilation[DIM_MAX] = {};
    int mode = 1, computeType = FLOAT, groups = 1, mathType = DEFAULT_MATH, reorder = 0;
};

struct Pooling {
    int rank = 0, mode = 0, nan = 0;
    int64_t window[DIM_MAX] = {}, pad[DIM_MAX] = {}, stride[DIM_MAX] = {};
};

struct Activation {
    bool set = false;
    int mode = 0, nan = 0;
    double coef = 0, swishBeta = 1;
};
struct OpTensor {
    bool set = false;
    int op = 0, computeType = FLOAT, nan = 0;
};
struct ReduceTensor {
    bool set = false;
    int op = 0, computeType = FLOAT, nan = 0, indices = 0, indexType = 0;
};

/// The live objects of one kind, never destroyed: threads may still come when the process ends.
template <class T> Live<T> &all() {
    static Live<T> &live = *new Live<T>();
    return live;
}

/// The descriptor behind a pointer, or null when it is stale, foreign or never set.
Handle *handle(void *pointer);
const Tensor *tensor(const void *pointer);
const Filter *filter(const void *pointer);
const Convolution *convolution(const void *pointer);
const Pooling *pooling(const void *pointer);
const Activation *activation(const void *pointer);

size_t width(int type);
inline bool floating(int type) { return type == FLOAT || type == DOUBLE || type == HALF || type == BFLOAT16; }
int64_t count(const Tensor &t);
size_t bytes(const Tensor &t); // from the first to behind the last element
bool sameDims(const Tensor &a, const Tensor &b);
bool packed(const Tensor &t, Format format); // dense in that order; a dimension of 1 has no order
Tensor asTensor(const Filter &f);

/// alpha or beta of an operation on that type: a double for double, a float for all others.
double scalar(const void *value, int type);

// ---- data --------------------------------------------------------------------------------------------------------------

/// All elements in the order of the dimensions.
std::vector<double> load(const Tensor &t, const void *data);

/// data = alpha * values + beta * data, rounded to the type; data is not read when beta is 0.
void store(const Tensor &t, void *data, const std::vector<double> &values, double alpha = 1, double beta = 0);

double activate(const Activation &a, double x);

/// Reading index of an operand which repeats along its dimensions of 1.
struct Broadcast {
    int rank;
    int64_t dim[DIM_MAX], step[DIM_MAX];
    Broadcast(const Tensor &operand, const Tensor &result);
    int64_t operator()(int64_t index) const; // index in the result -> index in the dense operand
};

// ---- launching ---------------------------------------------------------------------------------------------------------

struct Touch {
    const void *data;
    size_t bytes;
    size_t align = 1;
};
inline Touch touch(const Tensor &t, const void *data) { return {data, bytes(t), width(t.type)}; }

template <class F> struct Launch {
    Touch touches[12];
    int n;
    F work;
    bool inMemory() const {
        for (int i = 0; i < n; i++)
            if (!good(touches[i].data, touches[i].bytes) || uint64_t(touches[i].data) % touches[i].align != 0) return false;
        return true;
    }
    static void run(Launch *self) {
        // a replayed call may meet memory that has been freed since it was recorded
        if (self->inMemory())
            self->work();
        else
            fault("a cuDNN function touches memory that is not allocated");
    }
};

/// Runs work (which holds only plain data) in the order of the handle's stream after checking the memory it touches.
template <class F> int launch(const Handle *h, const char *name, std::initializer_list<Touch> touches, F work) {
    if (broken()) return refuse(EXECUTION_FAILED_CUDART, "the context is broken by an earlier fault");
    Launch<F> all{{}, int(touches.size()), work};
    std::copy(touches.begin(), touches.end(), all.touches);
    if (!all.inMemory()) return refuse(EXECUTION_FAILED, "device memory that is not allocated, too small or misaligned");
    return enqueue(h->stream, name, Launch<F>::run, all) == 0 ? SUCCESS
                                                              : refuse(EXECUTION_FAILED, "the stream refuses work");
}

// ---- convolution -------------------------------------------------------------------------------------------------------

enum class Rounding { none, tf32, half };
enum class Direction { forward, backwardData, backwardFilter };

/// Three spatial dimensions, missing ones of size 1; padding before the first element (what is behind follows from y).
struct Problem {
    Tensor x, w, y; // [N, C, D, H, W], [K, C / groups, T, R, S], [N, K, O, P, Q]
    int64_t pad[3] = {0, 0, 0}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1};
    int64_t groups = 1;
    bool flip = false; // a true convolution instead of a correlation
    Rounding rounding = Rounding::none;
};

Tensor fiveDims(const Tensor &t);

/// Five dimensions (fiveDims) in memory.
struct Operand {
    Tensor desc;
    const void *data;
};
struct Result {
    Tensor desc;
    void *data;
    double alpha = 1, beta = 0;
};

/// to = alpha * one direction + beta * to; the two operands are those of the direction: x w, w dy, x dy.
void convolve(Direction direction, const Problem &p, const Operand &first, const Operand &second, const Result &to);

/// The same sizes as doubles in dense order, as load gives them.
Tensor dense(const Tensor &t);

} // namespace cudnn
