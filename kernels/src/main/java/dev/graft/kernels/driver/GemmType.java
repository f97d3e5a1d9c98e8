package dev.graft.kernels.driver;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasComputeType;

/** Element types of a product: of both factors, of the result, and what is added up in between. */
public enum GemmType {
    F32(cudaDataType.CUDA_R_32F, cudaDataType.CUDA_R_32F, cublasComputeType.CUBLAS_COMPUTE_32F),
    /** float32 whose factors are rounded to 10 bits of mantissa. */
    TF32(cudaDataType.CUDA_R_32F, cudaDataType.CUDA_R_32F, cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32),
    F64(cudaDataType.CUDA_R_64F, cudaDataType.CUDA_R_64F, cublasComputeType.CUBLAS_COMPUTE_64F),
    BF16(cudaDataType.CUDA_R_16BF, cudaDataType.CUDA_R_16BF, cublasComputeType.CUBLAS_COMPUTE_32F),
    F16(cudaDataType.CUDA_R_16F, cudaDataType.CUDA_R_16F, cublasComputeType.CUBLAS_COMPUTE_32F),
    BF16_TO_F32(cudaDataType.CUDA_R_16BF, cudaDataType.CUDA_R_32F, cublasComputeType.CUBLAS_COMPUTE_32F),
    F16_TO_F32(cudaDataType.CUDA_R_16F, cudaDataType.CUDA_R_32F, cublasComputeType.CUBLAS_COMPUTE_32F);

    final int factors;
    final int result;
    final int compute;

    GemmType(int factors, int result, int compute) {
        this.factors = factors;
        this.result = result;
        this.compute = compute;
    }

    /** The product of two tensors of {@code dtype}, in the same type. */
    public static GemmType of(DType dtype, boolean tf32) {
        return switch (dtype) {
            case F32 -> tf32 ? TF32 : F32;
            case F64 -> F64;
            case BF16 -> BF16;
            case F16 -> F16;
            default -> throw new GraftException("cuBLAS has no product of " + dtype + ": cast to a floating-point type");
        };
    }

    /** The same factors with the result in the type that is added up in: float32, or float64. */
    public GemmType wide() {
        return switch (this) {
            case BF16 -> BF16_TO_F32;
            case F16 -> F16_TO_F32;
            default -> this;
        };
    }
}
