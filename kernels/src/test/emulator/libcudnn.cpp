// A stand-in for libcudnn.so.9: handles, status names and descriptors.
#include "cudnn_stand_in.h"

using namespace cudnn;

namespace {

bool knownType(int type) { return type >= FLOAT && type <= BOOLEAN; }

int setTensor(void *pointer, int type, int rank, const int *dim, const int *stride) {
    Tensor *t = all<Tensor>().find(pointer);
    if (t == nullptr || dim == nullptr) return refuse(NULL_POINTER, "tensor descriptor or sizes are null or not alive");
    if (!knownType(type)) return refuse(BAD_PARAM, "unknown data type");
    if (rank < 3 || rank > DIM_MAX) return refuse(NOT_SUPPORTED, "a tensor has 3 to 8 dimensions");
    Tensor made;
    made.rank = rank;
    made.type = type;
    int64_t dense = 1, extent = 1;
    for (int i = rank - 1; i >= 0; i--) {
        if (dim[i] <= 0 || (stride != nullptr && stride[i] < 0))
            return refuse(BAD_PARAM, "a size or stride is not positive");
        made.dim[i] = dim[i];
        made.stride[i] = stride == nullptr ? dense : stride[i];
        dense *= dim[i];
        extent += (made.dim[i] - 1) * made.stride[i];
        if (dense > INT32_MAX || extent > INT32_MAX) return refuse(NOT_SUPPORTED, "more than 2^31 - 1 elements");
    }
    *t = made;
    return SUCCESS;
}

int setFilter(void *pointer, int type, int format, int rank, const int *dim) {
    Filter *f = all<Filter>().find(pointer);
    if (f == nullptr || dim == nullptr) return refuse(NULL_POINTER, "filter descriptor or sizes are null or not alive");
    if (!knownType(type) || format < NCHW || format > NCHW_VECT_C) return refuse(BAD_PARAM, "unknown data type or format");
    if (format == NCHW_VECT_C) return refuse(NOT_SUPPORTED, "vectorised layouts are for integers");
    if (rank < 3 || rank > DIM_MAX) return refuse(NOT_SUPPORTED, "a filter has 3 to 8 dimensions");
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        if (dim[i] <= 0) return refuse(BAD_PARAM, "a size is not positive");
        if ((n *= dim[i]) > INT32_MAX) return refuse(NOT_SUPPORTED, "more than 2^31 - 1 elements");
    }
    *f = {rank, type, format, {}};
    std::copy(dim, dim + rank, f->dim);
    return SUCCESS;
}

int setConvolution(
        void *pointer, int rank, const int *pad, const int *stride, const int *dilation, int mode, int computeType) {
    Convolution *c = all<Convolution>().find(pointer);
    if (c == nullptr || pad == nullptr || stride == nullptr || dilation == nullptr)
        return refuse(NULL_POINTER, "convolution descriptor or its numbers are null or not alive");
    if (rank < 1) return refuse(BAD_PARAM, "a convolution needs a spatial dimension");
    if (rank > DIM_MAX - 2) return refuse(NOT_SUPPORTED, "too many spatial dimensions");
    if ((mode != 0 && mode != 1) || !(floating(computeType) || computeType == INT32))
        return refuse(BAD_PARAM, "unknown mode or compute type");
    Convolution made;
    made.rank = rank;
    made.mode = mode;
    made.computeType = computeType;
    for (int i = 0; i < rank; i++) {
        if (pad[i] < 0 || stride[i] <= 0 || dilation[i] <= 0) return refuse(BAD_PARAM, "a padding, stride or dilation");
        made.pad[i] = pad[i];
        made.stride[i] = stride[i];
        made.dilation[i] = dilation[i];
    }
    *c = made; // groups and math type are set after this: that they would stay is not documented
    return SUCCESS;
}

int setPooling(void *pointer, int mode, int nan, int rank, const int *window, const int *pad, const int *stride) {
    Pooling *p = all<Pooling>().find(pointer);
    if (p == nullptr || window == nullptr || pad == nullptr || stride == nullptr)
        return refuse(NULL_POINTER, "pooling descriptor or its numbers are null or not alive");
    if (mode < 0 || mode > 3 || (nan != 0 && nan != 1)) return refuse(BAD_PARAM, "unknown pooling mode or NaN rule");
    if (rank < 1) return refuse(BAD_PARAM, "a pooling needs a spatial dimension");
    if (rank > DIM_MAX - 2) return refuse(NOT_SUPPORTED, "too many spatial dimensions");
    Pooling made;
    made.rank = rank;
    made.mode = mode;
    made.nan = nan;
    for (int i = 0; i < rank; i++) {
        if (window[i] <= 0 || stride[i] <= 0 || pad[i] < 0) return refuse(BAD_PARAM, "a window, padding or stride");
        if (pad[i] >= window[i]) return refuse(BAD_PARAM, "padding must be smaller than the window");
        made.window[i] = window[i];
        made.pad[i] = pad[i];
        made.stride[i] = stride[i];
    }
    *p = made;
    return SUCCESS;
}

/// Sizes of the result of x with w, or a refusal.
int outputDims(const void *conv, const void *xDesc, const void *wDesc, int rank, int *out) {
    const Convolution *c = convolution(conv);
    const Tensor *x = tensor(xDesc);
    const Filter *w = filter(wDesc);
    if (c == nullptr || x == nullptr || w == nullptr || out == nullptr)
        return refuse(NULL_POINTER, "a descriptor is null or not set");
    if (x->rank != w->rank || x->rank != c->rank + 2 || rank < x->rank)
        return refuse(BAD_PARAM, "numbers of dimensions differ");
    if (x->dim[1] != w->dim[1] * c->groups) return refuse(SHAPE_MISMATCH, "channels of input and filter do not match");
    out[0] = int(x->dim[0]);
    out[1] = int(w->dim[0]);
    for (int i = 0; i < c->rank; i++) {
        int64_t span = x->dim[2 + i] + 2 * c->pad[i] - ((w->dim[2 + i] - 1) * c->dilation[i] + 1);
        if (span < 0) return refuse(BAD_PARAM, "the filter is larger than the padded input");
        out[2 + i] = int(1 + span / c->stride[i]);
    }
    return SUCCESS;
}

int poolDims(const void *pool, const void *xDesc, int rank, int *out) {
    const Pooling *p = pooling(pool);
    const Tensor *x = tensor(xDesc);
    if (p == nullptr || x == nullptr || out == nullptr) return refuse(NULL_POINTER, "a descriptor is null or not set");
    if (x->rank != p->rank + 2 || rank != x->rank) return refuse(BAD_PARAM, "numbers of dimensions differ");
    out[0] = int(x->dim[0]);
    out[1] = int(x->dim[1]);
    for (int i = 0; i < p->rank; i++) out[2 + i] = int(1 + (x->dim[2 + i] + 2 * p->pad[i] - p->window[i]) / p->stride[i]);
    return SUCCESS;
}

template <class T> int create(void **to) {
    if (to == nullptr) return refuse(NULL_POINTER, "nowhere to put the descriptor");
    *to = all<T>().make();
    return SUCCESS;
}

template <class T> int destroy(void *pointer) {
    if (pointer == nullptr) return SUCCESS;
    return all<T>().destroy(pointer) ? SUCCESS : refuse(BAD_PARAM, "a descriptor that is not alive is destroyed");
}

const char *statusName(int status) {
    switch (status) {
        case SUCCESS: return "CUDNN_STATUS_SUCCESS";
        case NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
        case 1002: return "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH";
        case BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
        case NULL_POINTER: return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
        case MISALIGNED_POINTER: return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
        case NOT_FINALIZED: return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
        case OUT_OF_BOUND: return "CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND";
        case SIZE_INSUFFICIENT: return "CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT";
        case SHAPE_MISMATCH: return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
        case DUPLICATED_ENTRIES: return "CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES";
        case ATTRIBUTE_TYPE: return "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE";
        case DESCRIPTOR_TYPE: return "CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE";
        case NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
        case NOT_SUPPORTED_PATTERN: return "CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN";
        case NOT_SUPPORTED_SHAPE: return "CUDNN_STATUS_NOT_SUPPORTED_SHAPE";
        case NOT_SUPPORTED_TYPE: return "CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE";
        case NOT_SUPPORTED_LAYOUT: return "CUDNN_STATUS_NOT_SUPPORTED_LAYOUT";
        case INTERNAL_ERROR: return "CUDNN_STATUS_INTERNAL_ERROR";
        case ALLOC_FAILED: return "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
        case EXECUTION_FAILED: return "CUDNN_STATUS_EXECUTION_FAILED";
        case EXECUTION_FAILED_CUDART: return "CUDNN_STATUS_EXECUTION_FAILED_CUDART";
        default: return "CUDNN_UNKNOWN_STATUS";
    }
}

}  // namespace

// ---- the library -------------------------------------------------------------------------------------------------------

STAND_IN_API size_t cudnnGetVersion() { return VERSION; }
STAND_IN_API size_t cudnnGetMaxDeviceVersion() { return 1210; }
STAND_IN_API size_t cudnnGetCudartVersion() { return CUDART; }
STAND_IN_API const char *cudnnGetErrorString(int status) { return statusName(status); }

STAND_IN_API void cudnnGetLastErrorString(char *message, size_t size) {
    if (message == nullptr || size == 0) return;
    std::snprintf(message, size, "%s", lastError.c_str());
    lastError.clear();
}

STAND_IN_API int cudnnGetProperty(int type, int *value) {
    if (value == nullptr || type < 0 || type > 2) return BAD_PARAM;
    *value = int(type == 0 ? VERSION / 10000 : type == 1 ? VERSION / 100 % 100 : VERSION % 100);
    return SUCCESS;
}

STAND_IN_API int cudnnCreate(void **to) { return create<Handle>(to); }
STAND_IN_API int cudnnDestroy(void *h) {
    return all<Handle>().destroy(h) ? SUCCESS : refuse(BAD_PARAM, "the handle is not alive");
}

STAND_IN_API int cudnnSetStream(void *pointer, void *stream) {
    Handle *h = handle(pointer);
    if (h == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    h->stream = stream;
    return SUCCESS;
}

STAND_IN_API int cudnnGetStream(void *pointer, void **stream) {
    Handle *h = handle(pointer);
    if (h == nullptr || stream == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    *stream = h->stream;
    return SUCCESS;
}

// ---- tensors and filters -----------------------------------------------------------------------------------------------

STAND_IN_API int cudnnCreateTensorDescriptor(void **to) { return create<Tensor>(to); }
STAND_IN_API int cudnnDestroyTensorDescriptor(void *d) { return destroy<Tensor>(d); }
STAND_IN_API int cudnnCreateFilterDescriptor(void **to) { return create<Filter>(to); }
STAND_IN_API int cudnnDestroyFilterDescriptor(void *d) { return destroy<Filter>(d); }

STAND_IN_API int cudnnSetTensor4dDescriptor(void *d, int format, int type, int n, int c, int h, int w) {
    int dim[] = {n, c, h, w};
    if (format == NCHW) return setTensor(d, type, 4, dim, nullptr);
    if (format == NCHW_VECT_C) return refuse(NOT_SUPPORTED, "vectorised layouts are for integers");
    if (format != NHWC) return refuse(BAD_PARAM, "unknown format");
    if (n <= 0 || c <= 0 || h <= 0 || w <= 0) return refuse(BAD_PARAM, "a size is not positive");
    if (int64_t(h) * w > INT32_MAX / int64_t(c)) return refuse(NOT_SUPPORTED, "more than 2^31 - 1 elements");
    int stride[] = {h * w * c, 1, w * c, c};
    return setTensor(d, type, 4, dim, stride);
}

STAND_IN_API int cudnnSetTensor4dDescriptorEx(
        void *d, int type, int n, int c, int h, int w, int sn, int sc, int sh, int sw) {
    int dim[] = {n, c, h, w}, stride[] = {sn, sc, sh, sw};
    return setTensor(d, type, 4, dim, stride);
}

STAND_IN_API int cudnnSetTensorNdDescriptor(void *d, int type, int rank, const int *dim, const int *stride) {
    if (stride == nullptr) return refuse(NULL_POINTER, "no strides");
    return setTensor(d, type, rank, dim, stride);
}

STAND_IN_API int cudnnSetTensorNdDescriptorEx(void *d, int format, int type, int rank, const int *dim) {
    if (dim == nullptr) return refuse(NULL_POINTER, "no sizes");
    if (format == NCHW) return setTensor(d, type, rank, dim, nullptr);
    if (format == NCHW_VECT_C) return refuse(NOT_SUPPORTED, "vectorised layouts are for integers");
    if (format != NHWC || rank < 3 || rank > DIM_MAX) return refuse(BAD_PARAM, "unknown format or number of dimensions");
    int stride[DIM_MAX];
    int64_t step = dim[1];
    stride[1] = 1;
    for (int i = rank - 1; i >= 2; i--) {
        stride[i] = int(step);
        if ((step *= dim[i]) > INT32_MAX) return refuse(NOT_SUPPORTED, "more than 2^31 - 1 elements");
    }
    stride[0] = int(step);
    return setTensor(d, type, rank, dim, stride);
}

STAND_IN_API int cudnnGetTensor4dDescriptor(
        void *d, int *type, int *n, int *c, int *h, int *w, int *sn, int *sc, int *sh, int *sw) {
    const Tensor *t = tensor(d);
    if (t == nullptr || t->rank != 4) return refuse(BAD_PARAM, "not a set tensor of 4 dimensions");
    int *dims[] = {n, c, h, w}, *strides[] = {sn, sc, sh, sw};
    *type = t->type;
    for (int i = 0; i < 4; i++) {
        *dims[i] = int(t->dim[i]);
        *strides[i] = int(t->stride[i]);
    }
    return SUCCESS;
}

STAND_IN_API int cudnnGetTensorNdDescriptor(void *d, int requested, int *type, int *rank, int *dim, int *stride) {
    const Tensor *t = tensor(d);
    if (t == nullptr) return refuse(BAD_PARAM, "the tensor is not set");
    *type = t->type;
    *rank = t->rank;
    for (int i = 0; i < std::min(requested, t->rank); i++) {
        dim[i] = int(t->dim[i]);
        stride[i] = int(t->stride[i]);
    }
    return SUCCESS;
}

STAND_IN_API int cudnnGetTensorSizeInBytes(void *d, size_t *size) {
    const Tensor *t = tensor(d);
    if (t == nullptr || size == nullptr) return refuse(BAD_PARAM, "the tensor is not set");
    *size = bytes(*t);
    return SUCCESS;
}

STAND_IN_API int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w) {
    int dim[] = {k, c, h, w};
    return setFilter(d, type, format, 4, dim);
}

STAND_IN_API int cudnnSetFilterNdDescriptor(void *d, int type, int format, int rank, const int *dim) {
    return setFilter(d, type, format, rank, dim);
}

STAND_IN_API int cudnnGetFilter4dDescriptor(void *d, int *type, int *format, int *k, int *c, int *h, int *w) {
    const Filter *f = filter(d);
    if (f == nullptr || f->rank != 4) return refuse(BAD_PARAM, "not a set filter of 4 dimensions");
    *type = f->type;
    *format = f->format;
    int *dims[] = {k, c, h, w};
    for (int i = 0; i < 4; i++) *dims[i] = int(f->dim[i]);
    return SUCCESS;
}

STAND_IN_API int cudnnGetFilterSizeInBytes(void *d, size_t *size) {
    const Filter *f = filter(d);
    if (f == nullptr || size == nullptr) return refuse(BAD_PARAM, "the filter is not set");
    *size = bytes(asTensor(*f));
    return SUCCESS;
}

// ---- convolutions ------------------------------------------------------------------------------------------------------

STAND_IN_API int cudnnCreateConvolutionDescriptor(void **to) { return create<Convolution>(to); }
STAND_IN_API int cudnnDestroyConvolutionDescriptor(void *d) { return destroy<Convolution>(d); }

STAND_IN_API int cudnnSetConvolution2dDescriptor(
        void *d, int ph, int pw, int u, int v, int dh, int dw, int mode, int computeType) {
    int pad[] = {ph, pw}, stride[] = {u, v}, dilation[] = {dh, dw};
    return setConvolution(d, 2, pad, stride, dilation, mode, computeType);
}

STAND_IN_API int cudnnSetConvolutionNdDescriptor(
        void *d, int rank, const int *pad, const int *stride, const int *dilation, int mode, int computeType) {
    return setConvolution(d, rank, pad, stride, dilation, mode, computeType);
}

STAND_IN_API int cudnnGetConvolution2dDescriptor(
        void *d, int *ph, int *pw, int *u, int *v, int *dh, int *dw, int *mode, int *type) {
    const Convolution *c = convolution(d);
    if (c == nullptr || c->rank != 2) return refuse(BAD_PARAM, "not a set convolution of 2 dimensions");
    *ph = int(c->pad[0]);
    *pw = int(c->pad[1]);
    *u = int(c->stride[0]);
    *v = int(c->stride[1]);
    *dh = int(c->dilation[0]);
    *dw = int(c->dilation[1]);
    *mode = c->mode;
    *type = c->computeType;
    return SUCCESS;
}

STAND_IN_API int cudnnSetConvolutionGroupCount(void *d, int groups) {
    Convolution *c = all<Convolution>().find(d);
    if (c == nullptr || groups < 1) return refuse(BAD_PARAM, "no convolution, or fewer than one group");
    c->groups = groups;
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolutionGroupCount(void *d, int *groups) {
    Convolution *c = all<Convolution>().find(d);
    if (c == nullptr || groups == nullptr) return refuse(BAD_PARAM, "no convolution");
    *groups = c->groups;
    return SUCCESS;
}

STAND_IN_API int cudnnSetConvolutionMathType(void *d, int type) {
    Convolution *c = all<Convolution>().find(d);
    if (c == nullptr || type < DEFAULT_MATH || type > FMA_MATH)
        return refuse(BAD_PARAM, "no convolution, or unknown math type");
    c->mathType = type;
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolutionMathType(void *d, int *type) {
    Convolution *c = all<Convolution>().find(d);
    if (c == nullptr || type == nullptr) return refuse(BAD_PARAM, "no convolution");
    *type = c->mathType;
    return SUCCESS;
}

STAND_IN_API int cudnnSetConvolutionReorderType(void *d, int type) {
    Convolution *c = all<Convolution>().find(d);
    if (c == nullptr || (type != 0 && type != 1)) return refuse(BAD_PARAM, "no convolution, or unknown reorder type");
    c->reorder = type;
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolutionReorderType(void *d, int *type) {
    Convolution *c = all<Convolution>().find(d);
    if (c == nullptr || type == nullptr) return refuse(BAD_PARAM, "no convolution");
    *type = c->reorder;
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolution2dForwardOutputDim(void *conv, void *x, void *w, int *n, int *c, int *h, int *wide) {
    int out[DIM_MAX];
    const Tensor *input = tensor(x);
    if (input == nullptr || input->rank != 4) return refuse(BAD_PARAM, "the input has not 4 dimensions");
    int status = outputDims(conv, x, w, 4, out);
    if (status == SUCCESS) {
        *n = out[0];
        *c = out[1];
        *h = out[2];
        *wide = out[3];
    }
    return status;
}

STAND_IN_API int cudnnGetConvolutionNdForwardOutputDim(void *conv, void *x, void *w, int rank, int *dims) {
    return outputDims(conv, x, w, rank, dims);
}

// ---- pooling, activation, element-wise, reduction ----------------------------------------------------------------------

STAND_IN_API int cudnnCreatePoolingDescriptor(void **to) { return create<Pooling>(to); }
STAND_IN_API int cudnnDestroyPoolingDescriptor(void *d) { return destroy<Pooling>(d); }
STAND_IN_API int cudnnCreateActivationDescriptor(void **to) { return create<Activation>(to); }
STAND_IN_API int cudnnDestroyActivationDescriptor(void *d) { return destroy<Activation>(d); }
STAND_IN_API int cudnnCreateOpTensorDescriptor(void **to) { return create<OpTensor>(to); }
STAND_IN_API int cudnnDestroyOpTensorDescriptor(void *d) { return destroy<OpTensor>(d); }
STAND_IN_API int cudnnCreateReduceTensorDescriptor(void **to) { return create<ReduceTensor>(to); }
STAND_IN_API int cudnnDestroyReduceTensorDescriptor(void *d) { return destroy<ReduceTensor>(d); }

STAND_IN_API int cudnnSetPooling2dDescriptor(void *d, int mode, int nan, int wh, int ww, int ph, int pw, int sh, int sw) {
    int window[] = {wh, ww}, pad[] = {ph, pw}, stride[] = {sh, sw};
    return setPooling(d, mode, nan, 2, window, pad, stride);
}

STAND_IN_API int cudnnSetPoolingNdDescriptor(
        void *d, int mode, int nan, int rank, const int *window, const int *pad, const int *stride) {
    return setPooling(d, mode, nan, rank, window, pad, stride);
}

STAND_IN_API int cudnnGetPooling2dForwardOutputDim(void *pool, void *x, int *n, int *c, int *h, int *w) {
    int out[DIM_MAX];
    int status = poolDims(pool, x, 4, out);
    if (status == SUCCESS) {
        *n = out[0];
        *c = out[1];
        *h = out[2];
        *w = out[3];
    }
    return status;
}

STAND_IN_API int cudnnGetPoolingNdForwardOutputDim(void *pool, void *x, int rank, int *dims) {
    return poolDims(pool, x, rank, dims);
}

STAND_IN_API int cudnnSetActivationDescriptor(void *d, int mode, int nan, double coef) {
    Activation *a = all<Activation>().find(d);
    if (a == nullptr) return refuse(NULL_POINTER, "no activation descriptor");
    if (mode < SIGMOID || mode > SWISH || (nan != 0 && nan != 1)) return refuse(BAD_PARAM, "unknown activation or NaN rule");
    *a = {true, mode, nan, coef, 1.0};
    return SUCCESS;
}

STAND_IN_API int cudnnSetActivationDescriptorSwishBeta(void *d, double beta) {
    Activation *a = all<Activation>().find(d);
    if (a == nullptr || a->mode != SWISH) return refuse(BAD_PARAM, "not a swish activation");
    a->swishBeta = beta;
    return SUCCESS;
}

STAND_IN_API int cudnnGetActivationDescriptor(void *d, int *mode, int *nan, double *coef) {
    const Activation *a = activation(d);
    if (a == nullptr) return refuse(BAD_PARAM, "no activation descriptor");
    *mode = a->mode;
    *nan = a->nan;
    *coef = a->coef;
    return SUCCESS;
}

STAND_IN_API int cudnnSetOpTensorDescriptor(void *d, int op, int computeType, int nan) {
    OpTensor *o = all<OpTensor>().find(d);
    if (o == nullptr || op < 0 || op > 5 || (nan != 0 && nan != 1))
        return refuse(BAD_PARAM, "no descriptor, or unknown operation");
    if (computeType != FLOAT && computeType != DOUBLE)
        return refuse(BAD_PARAM, "element-wise operations compute in float or double");
    *o = {true, op, computeType, nan};
    return SUCCESS;
}

STAND_IN_API int cudnnSetReduceTensorDescriptor(void *d, int op, int computeType, int nan, int indices, int indexType) {
    ReduceTensor *r = all<ReduceTensor>().find(d);
    if (r == nullptr || op < 0 || op > 8 || (nan != 0 && nan != 1) || (indices != 0 && indices != 1) || indexType < 0
            || indexType > 3)
        return refuse(BAD_PARAM, "no descriptor, or unknown operation");
    if (computeType != FLOAT && computeType != DOUBLE && computeType != HALF)
        return refuse(BAD_PARAM, "unknown compute type");
    *r = {true, op, computeType, nan, indices, indexType};
    return SUCCESS;
}
