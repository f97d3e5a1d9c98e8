package dev.graft.nn.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.autograd.GradCheck;
import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.nn.onnx.OnnxModel.Node;
import dev.graft.nn.onnx.OnnxModel.OutOfScope;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Single-layer models that PyTorch exported, with recorded inputs and outputs (the backend tests of github.com/onnx/onnx),
 * run with our layers; gradients of the layers by central differences. What we have no op for stands in a list here:
 * anything else must run.
 */
class OnnxConformanceTest {
    private static final Map<Pattern, String> OUT_OF_SCOPE = new LinkedHashMap<>();

    static {
        OUT_OF_SCOPE.put(Pattern.compile(".*/test_Conv3d.*"), "3-D convolution");
        OUT_OF_SCOPE.put(Pattern.compile(".*/test_(Avg|Max)Pool3d.*"), "3-D pooling");
        OUT_OF_SCOPE.put(Pattern.compile(".*/test_MaxPool[12]d_stride_padding_dilation"), "pooling with dilation");
        OUT_OF_SCOPE.put(Pattern.compile("simple/test_sequence_.*"), "sequences of tensors");
        OUT_OF_SCOPE.put(Pattern.compile("simple/test_strnorm_.*"), "strings are no tensors here");
    }

    private static final int CASES = 140;
    private static final int IN_SCOPE = 111;
    /** Gradients of larger cases would take long on one thread and show nothing that small ones do not. */
    private static final long LARGEST_GRADIENT = 4000;

    /** A case's files by name: {@code model.onnx}, {@code test_data_set_0/input_0.pb}, ... */
    record Case(String name, Map<String, byte[]> files) {
        OnnxModel model() {
            return OnnxModel.read(files.get("model.onnx"));
        }

        Tensor tensor(int set, String kind, int i) {
            byte[] f = files.get("test_data_set_" + set + "/" + kind + "_" + i + ".pb");
            return f == null ? null : OnnxModel.tensor(ByteBuffer.wrap(f), new String[1]);
        }

        int sets() {
            int n = 0;
            while (files.containsKey("test_data_set_" + n + "/output_0.pb")) {
                n++;
            }
            return n;
        }
    }

    private static List<Case> cases() {
        String data = System.getProperty("graft.test.data", "");
        Path zip = Path.of(data, "onnx-conformance", "onnx-pytorch-and-simple.zip");
        assumeTrue(Files.exists(zip), "the recorded ONNX cases are not there: set graft.test.data to the folder that has"
                + " onnx-conformance/onnx-pytorch-and-simple.zip");
        Map<String, Map<String, byte[]>> found = new TreeMap<>();
        try (ZipFile z = new ZipFile(zip.toFile())) {
            for (var e : z.stream().filter(e -> !e.isDirectory()).toList()) {
                String[] parts = e.getName().split("/", 3);
                found.computeIfAbsent(parts[0] + "/" + parts[1], k -> new HashMap<>())
                        .put(parts[2], z.getInputStream(e).readAllBytes());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found.entrySet().stream().filter(e -> e.getValue().containsKey("model.onnx"))
                .map(e -> new Case(e.getKey(), e.getValue())).toList();
    }

    private static String outOfScope(String name) {
        return OUT_OF_SCOPE.entrySet().stream().filter(e -> e.getKey().matcher(name).matches())
                .map(Map.Entry::getValue).findFirst().orElse(null);
    }

    @Test
    void everyCaseIsThere() {
        List<Case> all = cases();
        assertThat(all.size()).isEqualTo(CASES);
        assertThat(all.stream().filter(c -> outOfScope(c.name()) == null).count()).isEqualTo(IN_SCOPE);
    }

    @TestFactory
    Stream<DynamicTest> outputsAreTheRecordedOnes() {
        return cases().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> check(c)));
    }

    private static void check(Case c) {
        String reason = outOfScope(c.name());
        assertThat(c.sets()).isPositive();
        for (int set = 0; set < c.sets(); set++) {
            try {
                OnnxModel m = c.model();
                Map<String, Tensor> env = new HashMap<>(m.initializers());
                for (int i = 0; i < m.inputs().size(); i++) {
                    env.put(m.inputs().get(i), c.tensor(set, "input", i));
                }
                run(m, env);
                for (int i = 0; i < m.outputs().size(); i++) {
                    equal(env.get(m.outputs().get(i)), c.tensor(set, "output", i));
                }
            } catch (OutOfScope e) {
                assertThat(e.getMessage()).isEqualTo(reason);
                abort("out of scope: " + reason);
            }
        }
        assertThat(reason).as("runs, so it is not out of scope").isNull();
    }

    private static void equal(Tensor y, Tensor recorded) {
        assertThat(y.spec()).isEqualTo(recorded.spec());
        double[] a = y.toDoubles();
        double[] b = recorded.toDoubles();
        for (int i = 0; i < a.length; i++) {
            if (Double.isNaN(b[i])) {
                assertThat(a[i]).as("element " + i).isNaN();
            } else {
                assertThat(a[i]).as("element " + i).isCloseTo(b[i], within(1e-5 * Math.max(1, Math.abs(b[i]))));
            }
        }
    }

    /** Runs the nodes in order (ONNX sorts them), on a tape when one of them asks for gradients. */
    private static void run(OnnxModel m, Map<String, Tensor> env) {
        try (Tape tape = new Tape()) {
            boolean gradients = m.nodes().stream().anyMatch(n -> n.op().equals("Gradient"));
            m.inputs().stream().filter(i -> gradients).forEach(i -> tape.watch(env.get(i)));
            for (Node n : m.nodes()) {
                if (n.op().equals("Gradient")) {
                    Gradients g = tape.backward(env.get((String) n.attributes().get("y")));
                    String[] xs = ((String) n.attributes().get("xs")).split(",");
                    for (int i = 0; i < xs.length; i++) {
                        env.put(n.out().get(i), g.of(env.get(xs[i])));
                    }
                } else {
                    Tensor[] out = gradients ? tape.record(() -> run(n, env)) : run(n, env);
                    for (int i = 0; i < n.out().size() && i < out.length; i++) {
                        env.put(n.out().get(i), out[i]);
                    }
                }
            }
        }
    }

    private static Tensor[] run(Node n, Map<String, Tensor> env) {
        Tensor[] in = n.in().stream().map(env::get).toArray(Tensor[]::new);
        return OnnxLayers.OPS.contains(n.op()) ? new Tensor[] {OnnxLayers.run(n, in)} : OnnxOps.run(n, in);
    }

    @TestFactory
    Stream<DynamicTest> layersHaveTheGradientOfTheirFunction() {
        return cases().stream().filter(c -> outOfScope(c.name()) == null)
                .filter(c -> c.model().nodes().stream().anyMatch(n -> OnnxLayers.OPS.contains(n.op())))
                .filter(c -> c.tensor(0, "input", 0).size() <= LARGEST_GRADIENT)
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> checkGradient(c)));
    }

    private static void checkGradient(Case c) {
        OnnxModel m = c.model();
        List<String> names = new ArrayList<>(m.inputs());
        names.addAll(m.initializers().keySet());
        List<Tensor> in = new ArrayList<>();
        for (String name : names) {
            Tensor t = m.inputs().contains(name) ? c.tensor(0, "input", m.inputs().indexOf(name))
                    : m.initializers().get(name);
            in.add(t.dtype() == DType.F32 && !isStatistic(m, name) ? t.cast(DType.F64) : t);
        }
        m.nodes().forEach(n -> n.attributes().replaceAll((k, v) -> v instanceof Tensor t ? t.cast(DType.F64) : v));
        GradCheck.of(t -> {
            Map<String, Tensor> env = new HashMap<>();
            for (int i = 0; i < t.length; i++) {
                env.put(names.get(i), t[i]);
            }
            run(m, env);
            return env.get(m.outputs().getFirst());
        }, in.toArray(new Tensor[0])).elements(8).check();
    }

    /** Running means and variances have no gradient. */
    private static boolean isStatistic(OnnxModel m, String name) {
        return m.nodes().stream().anyMatch(n -> n.op().equals("BatchNormalization") && n.in().indexOf(name) >= 3);
    }
}
