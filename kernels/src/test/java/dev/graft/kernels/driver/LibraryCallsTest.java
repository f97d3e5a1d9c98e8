package dev.graft.kernels.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.MethodRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jcuda.jcublas.JCublas2;
import jcuda.jcudnn.JCudnn;
import org.junit.jupiter.api.Test;

/**
 * A function that the installed library does not have ends the process when it is called, so every one that Graft calls is
 * listed here, and none of them is one that cuDNN 9 has removed.
 */
class LibraryCallsTest {
    private static final Set<String> CUBLAS = Set.of("cublasCreate", "cublasDestroy", "cublasGetVersion", "cublasSetStream",
            "cublasSetWorkspace", "cublasSetMathMode", "cublasGemmEx_new", "cublasGemmStridedBatchedEx_new");

    private static final Set<String> CUDNN = Set.of("cudnnCreate", "cudnnDestroy", "cudnnGetVersion", "cudnnGetErrorString",
            "cudnnSetStream", "cudnnCreateTensorDescriptor", "cudnnSetTensor4dDescriptor", "cudnnDestroyTensorDescriptor",
            "cudnnCreateFilterDescriptor", "cudnnSetFilter4dDescriptor", "cudnnDestroyFilterDescriptor",
            "cudnnCreateConvolutionDescriptor", "cudnnSetConvolution2dDescriptor", "cudnnSetConvolutionGroupCount",
            "cudnnSetConvolutionMathType", "cudnnDestroyConvolutionDescriptor", "cudnnCreateActivationDescriptor",
            "cudnnSetActivationDescriptor", "cudnnDestroyActivationDescriptor", "cudnnGetConvolutionForwardAlgorithm_v7",
            "cudnnGetConvolutionForwardWorkspaceSize", "cudnnConvolutionForward", "cudnnConvolutionBiasActivationForward",
            "cudnnGetConvolutionBackwardDataAlgorithm_v7", "cudnnGetConvolutionBackwardDataWorkspaceSize",
            "cudnnConvolutionBackwardData", "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
            "cudnnGetConvolutionBackwardFilterWorkspaceSize", "cudnnConvolutionBackwardFilter",
            "cudnnBackendCreateDescriptor",
            "cudnnBackendDestroyDescriptor", "cudnnBackendFinalize", "cudnnBackendSetAttribute", "cudnnBackendGetAttribute",
            "cudnnBackendExecute");

    /** What JCudnn 11.7.0 still declares and cuDNN 9 no longer has. */
    private static final Pattern REMOVED = Pattern.compile("cudnn([SG]etRNNDescriptor_v6|RNNForward(Training|Inference)(Ex)?"
            + "|RNNBackward(Data|Weights)(Ex)?|GetRNN(ParamsSize|WorkspaceSize|TrainingReserveSize|LinLayer.*)"
            + "|RNN[SG]etClip|[SG]etRNN(MatrixMathType|BiasMode|PaddingMode|ProjectionLayers)|FindRNN.*"
            + "|.*PersistentRNNPlan|.*AlgorithmDescriptor|.*AlgorithmPerformance|(Save|Restore)Algorithm"
            + "|GetAlgorithmSpaceSize|.*(Infer|Train)VersionCheck)");

    @Test
    void onlyTheListedFunctionsAreCalled() throws IOException {
        assertThat(calls(Cublas.class, JCublas2.class)).containsExactlyInAnyOrderElementsOf(CUBLAS);
        assertThat(calls(Cudnn.class, JCudnn.class)).containsExactlyInAnyOrderElementsOf(CUDNN);
    }

    @Test
    void noFunctionThatCudnn9HasRemovedIsListed() {
        List<String> removed = new ArrayList<>();
        for (Method m : JCudnn.class.getMethods()) {
            if (REMOVED.matcher(m.getName()).matches()) {
                removed.add(m.getName());
            }
        }
        assertThat(removed).contains("cudnnRNNForwardTraining", "cudnnSaveAlgorithm", "cudnnCnnInferVersionCheck")
                .hasSizeGreaterThan(50);
        assertThat(CUDNN).doesNotContainAnyElementsOf(removed);
    }

    /** The overloads without _new take the types of CUDA 10 and refuse TF32. */
    @Test
    void noOldOverloadIsListed() {
        assertThat(CUBLAS).doesNotContain("cublasGemmEx", "cublasGemmStridedBatchedEx");
    }

    @Test
    void nobodyElseCallsTheLibraries() throws Exception {
        Path classes = Path.of(Cublas.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        List<String> callers = new ArrayList<>();
        try (Stream<Path> files = Files.walk(classes)) {
            for (Path f : files.filter(p -> p.toString().endsWith(".class")).toList()) {
                ClassModel model = ClassFile.of().parse(f);
                for (Class<?> library : List.of(JCublas2.class, JCudnn.class)) {
                    if (!calls(model, library).isEmpty()) {
                        callers.add(model.thisClass().asInternalName() + " " + library.getSimpleName());
                    }
                }
            }
        }
        assertThat(callers).containsExactlyInAnyOrder("dev/graft/kernels/driver/Cublas JCublas2",
                "dev/graft/kernels/driver/Cudnn JCudnn");
    }

    private static Set<String> calls(Class<?> caller, Class<?> library) throws IOException {
        try (var in = caller.getResourceAsStream(caller.getSimpleName() + ".class")) {
            return calls(ClassFile.of().parse(in.readAllBytes()), library);
        }
    }

    private static Set<String> calls(ClassModel model, Class<?> library) {
        Set<String> names = new TreeSet<>();
        for (PoolEntry e : model.constantPool()) {
            if (e instanceof MethodRefEntry m && m.owner().asInternalName().equals(library.getName().replace('.', '/'))) {
                names.add(m.name().stringValue());
            }
        }
        return names;
    }
}
