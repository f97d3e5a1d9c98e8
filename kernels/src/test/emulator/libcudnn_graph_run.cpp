// A stand-in for libcudnn.so.9: which engine takes which graph, and running a graph.
#include "cudnn_graph.h"
#include "matmul.h"

namespace cudnn::graph {

namespace {

const std::vector<Shared> &operations(const Descriptor &graph) { return graph.get(801)->children; }

const Descriptor *only(const Descriptor &graph, bool (*is)(int)) {
    for (const Shared &op : operations(graph))
        if (is(op->type)) return op.get();
    return nullptr;
}

bool heavy(int type) { return convolves(type) || type == OP_MATMUL; }

/// The data type that travels through memory: that of the first operand of the convolution or product.
int dataType(const Descriptor &graph) {
    const Descriptor *op = only(graph, heavy);
    if (op == nullptr) op = operations(graph)[0].get();
    return op->child(inputNames(*op)[0])->number(901);
}

/// A convolution, then any number of additions and factors, and at most one activation, which comes last.
bool convBiasActivation(const Descriptor &graph) {
    int activations = 0;
    for (const Shared &op : operations(graph)) {
        if (op->type == OP_FORWARD) continue;
        if (op->type != OP_POINTWISE) return false;
        int mode = op->child(750)->number(0);
        if (mode >= 100 && mode < 108) {
            activations++;
            if (isVirtual(*op->child(outputName(*op)))) return false;
        } else if (mode != 0 && mode != 1) {
            return false;
        }
    }
    return activations <= 1;
}

}  // namespace

int supports(const Descriptor &graph, int64_t engine, const char **why) {
    const std::vector<Shared> &ops = operations(graph);
    int products = 0;
    for (const Shared &op : ops) products += heavy(op->type);
    *why = "one convolution or product in a graph";
    if (products > 1) return NOT_SUPPORTED_PATTERN;
    int type = dataType(graph);
    *why = "the stand-in computes on floating-point data only";
    if (!floating(type)) return NOT_SUPPORTED_TYPE;
    const Descriptor *main = only(graph, heavy);
    if (main != nullptr) {
        *why = "the operands of a convolution or product come from memory";
        for (int name : inputNames(*main))
            if (isVirtual(*main->child(name)) || main->child(name)->flag(908)) return NOT_SUPPORTED_PATTERN;
        *why = "the operands have different types";
        if (main->child(inputNames(*main)[0])->number(901) != main->child(inputNames(*main)[1])->number(901))
            return NOT_SUPPORTED_TYPE;
    }
    *why = "only single operations in double";
    if (type == DOUBLE && ops.size() > 1) return NOT_SUPPORTED_PATTERN;
    bool nhwc = true, nchw = true, channelsFit = true;
    if (main != nullptr && convolves(main->type)) {
        Problem p;
        int status = problemOf(*main, p);
        if (status != SUCCESS) return status;
        int compute = main->child(main->type == OP_FORWARD ? 702 : main->type == OP_DATA ? 708 : 714)->number(100);
        *why = "the compute type does not go with the data type";
        if (type == DOUBLE ? compute != DOUBLE : type == HALF ? compute == DOUBLE : compute != FLOAT)
            return NOT_SUPPORTED_TYPE;
        for (const Tensor *t : {&p.x, &p.w, &p.y}) {
            nhwc &= packed(*t, NHWC);
            nchw &= packed(*t, NCHW);
        }
        int64_t unit = 16 / int64_t(width(type));
        channelsFit = p.groups == 1 && p.x.dim[1] % unit == 0 && p.w.dim[0] % unit == 0;
    }
    switch (engine) {
        case RUNTIME_FUSION:
            *why = "engine 0 has no double";
            if (type == DOUBLE) return NOT_SUPPORTED_TYPE;
            *why = "engine 0 wants densely packed NHWC tensors";
            if (!nhwc) return NOT_SUPPORTED_LAYOUT;
            *why = "engine 0 wants channels in units of 16 bytes and one group";
            return channelsFit ? SUCCESS : NOT_SUPPORTED_SHAPE;
        case READY_MADE:
            *why = "engine 1 wants densely packed NHWC or NCHW tensors";
            if (!nhwc && !nchw) return NOT_SUPPORTED_LAYOUT;
            *why = "engine 1 has no NHWC in double";
            if (type == DOUBLE && !nchw) return NOT_SUPPORTED_LAYOUT;
            *why = "engine 1 knows single convolutions and products, and convolution with bias and activation";
            return main != nullptr && (ops.size() == 1 || (main->type == OP_FORWARD && convBiasActivation(graph)))
                    ? SUCCESS
                    : NOT_SUPPORTED_PATTERN;
        default:
            *why = "engine 2 knows single backward convolutions";
            return main != nullptr && ops.size() == 1 && (main->type == OP_DATA || main->type == OP_FILTER) && (nhwc || nchw)
                            && type != DOUBLE
                    ? SUCCESS
                    : NOT_SUPPORTED_PATTERN;
    }
}

std::vector<int64_t> heuristics(const Descriptor &graph, int mode) {
    std::vector<int64_t> all;
    const char *why;
    // as with the real ones, what is proposed may turn out impossible when the plan is made
    auto propose = [&](int64_t engine) {
        int status = supports(graph, engine, &why);
        if (status == SUCCESS || status == NOT_SUPPORTED_SHAPE) all.push_back(engine);
    };
    constexpr int FALLBACK = 2;
    if (mode != FALLBACK) {
        propose(RUNTIME_FUSION);
        propose(SPLIT);
    }
    propose(READY_MADE);
    return all;
}

std::vector<int> notes(const Descriptor &graph, int64_t engine) {
    int type = dataType(graph);
    if (only(graph, heavy) == nullptr || type == DOUBLE) return {};
    switch (engine) {
        case RUNTIME_FUSION:
            return type == FLOAT ? std::vector<int>{TENSOR_CORE, DOWN_CONVERT_INPUTS} : std::vector<int>{TENSOR_CORE};
        case SPLIT:
            return type == FLOAT ? std::vector<int>{TENSOR_CORE, DOWN_CONVERT_INPUTS, NONDETERMINISTIC}
                                 : std::vector<int>{TENSOR_CORE, NONDETERMINISTIC};
        default: return type == FLOAT ? std::vector<int>{} : std::vector<int>{TENSOR_CORE};
    }
}

size_t workspaceOf(const Descriptor &graph, int64_t engine) {
    const Descriptor *main = only(graph, heavy);
    if (main == nullptr || engine == READY_MADE) return 0;
    Tensor w = tensorOf(*main->child(inputNames(*main)[1]));
    return (bytes(w) / (engine == SPLIT ? 1 : 2) + 512 + 255) / 256 * 256;
}

// ---- running -----------------------------------------------------------------------------------------------------------

namespace {

constexpr int MOST = 96;

struct Slot {
    Tensor desc;
    void *data;
    bool isVirtual, byValue;
    double value;
};

struct Node {
    int type, mode, in[4], out; // in: x, b, dy, t of a pointwise operation, otherwise in order; -1: none
    double alpha, beta, lower, upper, slope, elu, softplus, swish;
    bool propagateNan;
    Problem problem;
};

/// A graph as it waits in a stream: plain data, so that it can be recorded and replayed after its descriptors are gone.
struct Program {
    int slots, nodes;
    void *workspace;
    size_t workspaceBytes;
    Slot slot[MOST];
    Node node[32];

    bool inMemory() const {
        for (int i = 0; i < slots; i++)
            if (!slot[i].isVirtual && !slot[i].byValue && !good(slot[i].data, bytes(slot[i].desc))) return false;
        return good(workspace, workspaceBytes);
    }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
constexpr double ROOT_2 = 1.41421356237309504880, ROOT_2_OVER_PI = 0.79788456080286535588,
                 ROOT_2_PI = 2.50662827463100050242;

double relu(const Node &n, double x) {
    if (std::isnan(x)) return n.propagateNan ? x : n.lower;
    if (x < n.lower) return n.lower + n.slope * (x - n.lower);
    return std::min(x, n.upper);
}

double derivative(const Node &n, double x) {
    switch (n.mode) {
        case 200: return x > n.lower && x < n.upper ? 1 : x <= n.lower ? n.slope : 0;
        case 201: {
            double t = std::tanh(x);
            return 1 - t * t;
        }
        case 202: {
            double s = sigmoid(x);
            return s * (1 - s);
        }
        case 203: return x > 0 ? 1 : n.elu * std::exp(x);
        case 204: return 0.5 * (1 + std::erf(x / ROOT_2)) + x * std::exp(-x * x / 2) / ROOT_2_PI;
        case 205: return sigmoid(n.softplus * x);
        case 206: {
            double s = sigmoid(n.swish * x);
            return s + n.swish * x * s * (1 - s);
        }
        default: {
            double t = std::tanh(ROOT_2_OVER_PI * (x + 0.044715 * x * x * x));
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT_2_OVER_PI * (1 + 3 * 0.044715 * x * x);
        }
    }
}

double pointwise(const Node &n, double x, double b, double dy, double t) {
    switch (n.mode) {
        case 0: return x + b;
        case 1: return x * b;
        case 2: return std::fmin(x, b);
        case 3: return std::fmax(x, b);
        case 4: return std::sqrt(x);
        case 5: return x + b * b;
        case 6: return x / b;
        case 7: return std::fmod(x, b);
        case 8: return std::pow(x, b);
        case 9: return x - b;
        case 10: return std::fabs(x);
        case 11: return std::ceil(x);
        case 12: return std::cos(x);
        case 13: return std::exp(x);
        case 14: return std::floor(x);
        case 15: return std::log(x);
        case 16: return -x;
        case 17: return 1 / std::sqrt(x);
        case 18: return std::sin(x);
        case 19: return std::tan(x);
        case 20: return std::erf(x);
        case 21: return x;
        case 22: return 1 / x;
        case 100: return relu(n, x);
        case 101: return std::tanh(x);
        case 102: return sigmoid(x);
        case 103: return x > 0 ? x : n.elu * std::expm1(x);
        case 104: return 0.5 * x * (1 + std::erf(x / ROOT_2));
        case 105: return n.softplus * x > 30 ? x : std::log1p(std::exp(n.softplus * x)) / n.softplus;
        case 106: return x * sigmoid(n.swish * x);
        case 107: return 0.5 * x * (1 + std::tanh(ROOT_2_OVER_PI * (x + 0.044715 * x * x * x)));
        case 300: return x == b;
        case 301: return x != b;
        case 302: return x > b;
        case 303: return x >= b;
        case 304: return x < b;
        case 305: return x <= b;
        case 400: return x != 0 && b != 0;
        case 401: return x != 0 || b != 0;
        case 402: return x == 0;
        case 601: return t != 0 ? x : b;
        default: return dy * derivative(n, x);
    }
}

std::vector<double> reduce(int op, const Tensor &x, const Tensor &y, const std::vector<double> &from) {
    std::vector<double> to(size_t(count(y)), op == 1 || op == 8 ? 1 : op == 2 ? INFINITY : op == 3 ? -INFINITY : 0);
    Broadcast place(y, x);
    double n = double(from.size()) / double(to.size());
    for (size_t i = 0; i < from.size(); i++) {
        double &s = to[size_t(place(int64_t(i)))], e = from[i];
        switch (op) {
            case 0: s += e; break;
            case 1: s *= e; break;
            case 2: s = std::fmin(s, e); break;
            case 3: s = std::fmax(s, e); break;
            case 4: s = std::fmax(s, std::fabs(e)); break;
            case 5: s += e / n; break;
            case 6: s += std::fabs(e); break;
            case 7: s += e * e; break;
            default:
                if (e != 0) s *= e;
        }
    }
    if (op == 7)
        for (double &s : to) s = std::sqrt(s);
    return to;
}

std::vector<double> product(
        const Tensor &a, const Tensor &b, const Tensor &c, const std::vector<double> &x, const std::vector<double> &y) {
    int r = c.rank;
    int64_t m = c.dim[r - 2], n = c.dim[r - 1], k = a.dim[r - 1], batches = count(c) / (m * n);
    auto outer = [&](const Tensor &t, int64_t batch) { // which matrix of t belongs to that batch of c
        int64_t at = 0, step = 1;
        for (int i = r - 3; i >= 0; i--) {
            if (t.dim[i] != 1) at += batch % c.dim[i] * step;
            batch /= c.dim[i];
            step *= t.dim[i];
        }
        return at;
    };
    std::vector<double> to(size_t(count(c)));
    for (int64_t i = 0; i < batches; i++) {
        const double *p = x.data() + outer(a, i) * m * k, *q = y.data() + outer(b, i) * k * n;
        matmul<double>(
                m, n, k, [&](int64_t row, int64_t d) { return p[row * k + d]; },
                [&](int64_t d, int64_t column) { return q[d * n + column]; }, to.data() + i * m * n, n);
    }
    return to;
}

/// The values as they would come back from memory in that type.
void quantise(int type, std::vector<double> &values) {
    switch (type) {
        case FLOAT:
            for (double &v : values) v = float(v);
            break;
        case HALF:
            for (double &v : values) v = to_float(round_half(float(v)));
            break;
        case BFLOAT16:
            for (double &v : values) v = to_float(round_bf16(float(v)));
            break;
        case BOOLEAN:
            for (double &v : values) v = v != 0;
            break;
        default: break;
    }
}

void run(Program *p) {
    if (!p->inMemory()) {
        fault("a cuDNN graph touches memory that is not allocated");
        return;
    }
    if (p->workspaceBytes > 0) std::memset(p->workspace, 0xff, p->workspaceBytes);
    std::vector<std::vector<double>> value(size_t(p->slots));
    auto operand = [&](int slot) -> const std::vector<double> & {
        std::vector<double> &v = value[size_t(slot)];
        const Slot &s = p->slot[slot];
        if (v.empty()) v = s.byValue ? std::vector<double>(size_t(count(s.desc)), s.value) : load(s.desc, s.data);
        return v;
    };
    for (int i = 0; i < p->nodes; i++) {
        const Node &n = p->node[i];
        const Slot &out = p->slot[n.out];
        std::vector<double> result;
        if (convolves(n.type)) {
            Direction direction = n.type == OP_FORWARD ? Direction::forward
                    : n.type == OP_DATA                ? Direction::backwardData
                                                       : Direction::backwardFilter;
            const Problem &q = n.problem;
            const Tensor &first = n.type == OP_DATA ? q.w : q.x, &second = n.type == OP_FORWARD ? q.w : q.y;
            Tensor to = dense(n.type == OP_FORWARD ? q.y : n.type == OP_DATA ? q.x : q.w);
            result.resize(size_t(count(to)));
            convolve(direction, q, {first, p->slot[n.in[0]].data}, {second, p->slot[n.in[1]].data}, {to, result.data()});
            std::vector<double> before;
            if (n.beta != 0) before = load(out.desc, out.data);
            for (size_t j = 0; j < result.size(); j++)
                result[j] = n.alpha * result[j] + (n.beta != 0 ? n.beta * before[j] : 0);
        } else if (n.type == OP_MATMUL) {
            result = product(p->slot[n.in[0]].desc, p->slot[n.in[1]].desc, out.desc, operand(n.in[0]), operand(n.in[1]));
        } else if (n.type == OP_REDUCTION) {
            result = reduce(n.mode, p->slot[n.in[0]].desc, out.desc, operand(n.in[0]));
        } else {
            result.resize(size_t(count(out.desc)));
            const std::vector<double> *in[4] = {};
            std::vector<Broadcast> where;
            for (int k = 0; k < 4; k++) {
                where.emplace_back(n.in[k] < 0 ? out.desc : p->slot[n.in[k]].desc, out.desc);
                if (n.in[k] >= 0) in[k] = &operand(n.in[k]);
            }
            for (size_t j = 0; j < result.size(); j++) {
                double v[4];
                for (size_t k = 0; k < 4; k++) v[k] = in[k] ? (*in[k])[size_t(where[k](int64_t(j)))] : 0;
                result[j] = pointwise(n, n.alpha * v[0], n.beta * v[1], v[2], v[3]);
            }
        }
        quantise(out.desc.type, result);
        if (!out.isVirtual) store(out.desc, out.data, result);
        value[size_t(n.out)] = std::move(result);
    }
}

double hostValue(int type, const void *at) {
    Tensor one;
    one.rank = 1;
    one.type = type;
    one.dim[0] = one.stride[0] = 1;
    return load(one, at)[0];
}

} // namespace

int execute(Handle *h, const Descriptor &plan, const Descriptor &pack) {
    if (broken()) return refuse(EXECUTION_FAILED_CUDART, "the context is broken by an earlier fault");
    const Descriptor &engine = *plan.child(401)->child(300), &graph = *engine.child(1300);
    std::map<int64_t, void *> pointers;
    for (int64_t i = 0; i < pack.get(1000)->count; i++) pointers[pack.integer(1000, i)] = pack.at<void *>(1001, i);
    auto program = std::make_unique<Program>();
    program->workspace = pack.has(1003) ? pack.at<void *>(1003) : nullptr;
    program->workspaceBytes = size_t(plan.integer(402));
    if (program->workspaceBytes > 0 && program->workspace == nullptr)
        return refuse(NULL_POINTER, "the plan needs a workspace");

    std::map<int64_t, int> slots;
    std::set<int64_t> produced, ready;
    int status = SUCCESS;
    auto slot = [&](const Descriptor &t) {
        auto [at, fresh] = slots.emplace(uidOf(t), program->slots);
        if (!fresh) return at->second;
        if (program->slots == MOST) {
            status = refuse(NOT_SUPPORTED, "the graph has too many tensors for the stand-in");
            return 0;
        }
        Slot &s = program->slot[program->slots++];
        s.desc = tensorOf(t);
        s.isVirtual = isVirtual(t);
        s.byValue = t.flag(908);
        if (s.isVirtual) return at->second;
        auto given = pointers.find(uidOf(t));
        if (given == pointers.end())
            status = refuse(BAD_PARAM, "a tensor of the graph is missing in the variant pack");
        else if (given->second == nullptr)
            status = refuse(NULL_POINTER, "a tensor of the graph has no memory");
        else if (s.byValue)
            s.value = hostValue(s.desc.type, given->second);
        else if (uint64_t(given->second) % uint64_t(t.integer(900)) != 0)
            status = refuse(MISALIGNED_POINTER, "a pointer is less aligned than its tensor says");
        else
            s.data = given->second;
        return at->second;
    };
    const std::vector<Shared> &ops = operations(graph);
    for (const Shared &op : ops) produced.insert(uidOf(*op->child(outputName(*op))));
    while (size_t(program->nodes) < ops.size()) {
        for (const Shared &op : ops) {
            int64_t target = uidOf(*op->child(outputName(*op)));
            bool can = !ready.count(target);
            for (int name : inputNames(*op)) {
                int64_t uid = uidOf(*op->child(name));
                can &= !produced.count(uid) || ready.count(uid);
            }
            if (!can) continue;
            ready.insert(target);
            Node &n = program->node[program->nodes++];
            n.type = op->type;
            n.out = slot(*op->child(outputName(*op)));
            std::fill(n.in, n.in + 4, -1);
            n.alpha = 1;
            n.beta = 1;
            if (op->type == OP_POINTWISE) {
                const Descriptor &what = *op->child(750);
                int names[] = {751, 752, 757, 758};
                for (int k = 0; k < 4; k++)
                    if (op->has(names[k])) n.in[k] = slot(*op->child(names[k]));
                n.mode = what.number(0);
                n.propagateNan = what.number(2, 0) == 1;
                n.lower = what.real(3, 0);
                n.upper = what.real(4, INFINITY);
                n.slope = what.real(5, 0);
                n.elu = what.real(6, 1);
                n.softplus = what.real(7, 1);
                n.swish = what.real(8, 1);
                n.alpha = op->real(754, 1);
                n.beta = op->real(755, 1);
            } else {
                std::vector<int> names = inputNames(*op);
                for (size_t k = 0; k < names.size(); k++) n.in[k] = slot(*op->child(names[k]));
                if (op->type == OP_REDUCTION) n.mode = op->child(1612)->number(1600);
                if (convolves(op->type)) {
                    problemOf(*op, n.problem);
                    int scale = op->type == OP_FORWARD ? 700 : op->type == OP_DATA ? 706 : 712;
                    n.alpha = op->real(scale, 1);
                    n.beta = op->real(scale + 1, 0);
                    if (n.problem.x.type == FLOAT && engine.integer(1301) != READY_MADE) n.problem.rounding = Rounding::tf32;
                    if (n.beta != 0 && program->slot[n.out].isVirtual)
                        return refuse(NOT_SUPPORTED, "beta of a convolution whose result is virtual");
                }
            }
            if (status != SUCCESS) return status;
        }
    }
    if (!program->inMemory()) return refuse(EXECUTION_FAILED, "device memory that is not allocated or too small");
    return enqueue(h->stream, "cudnnBackendExecute", run, *program) == 0
            ? SUCCESS
            : refuse(EXECUTION_FAILED, "the stream refuses work");
}

} // namespace cudnn::graph
