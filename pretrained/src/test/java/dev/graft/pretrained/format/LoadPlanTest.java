package dev.graft.pretrained.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.nn.Module;
import dev.graft.nn.Parameter.Kind;
import dev.graft.pretrained.vision.CifarResNet;
import dev.graft.pretrained.vision.MobileNetV2;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoadPlanTest {
    @TempDir
    Path folder;

    private static Target target(String name, Kind kind, int... dims) {
        return new Target(name, Shape.of(dims), DType.F32, kind);
    }

    private static float[] counting(int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = i;
        }
        return v;
    }

    private WeightFile file(SafetensorsWriter writer) {
        Path file = folder.resolve("w.safetensors");
        writer.write(file);
        return WeightFile.open(file);
    }

    @Test
    void convolutionsMoveTheirInputChannelsLast() {
        int o = 2, in = 3, h = 4, w = 5;
        float[] oihw = counting(o * in * h * w);
        List<Target> targets = List.of(target("conv", Kind.CONV_WEIGHT, o, h, w, in),
                target("up", Kind.CONV_TRANSPOSE_WEIGHT, o, h, w, in), target("c1", Kind.CONV1D_WEIGHT, 2, 1, 4, 3),
                target("fc", Kind.LINEAR_WEIGHT, 2, 3), target("table", Kind.OTHER, o, in, h, w));
        try (Scope scope = Scope.open("test"); WeightFile f = file(new SafetensorsWriter()
                .put("conv", DType.F32, Shape.of(o, in, h, w), oihw).put("up", DType.F32, Shape.of(o, in, h, w), oihw)
                .put("c1", DType.F32, Shape.of(2, 3, 4), counting(24)).put("fc", DType.F32, Shape.of(2, 3), counting(6))
                .put("table", DType.F32, Shape.of(o, in, h, w), oihw))) {
            LoadPlan plan = NameMap.standard().plan(targets, f);
            assertThat(plan.report().complete()).as(plan.report().toString()).isTrue();
            float[] ohwi = plan.assignments().get(0).read(f).toFloats();
            for (int a = 0; a < o; a++) {
                for (int b = 0; b < in; b++) {
                    for (int y = 0; y < h; y++) {
                        for (int x = 0; x < w; x++) {
                            assertThat(ohwi[((a * h + y) * w + x) * in + b]).isEqualTo(oihw[((a * in + b) * h + y) * w + x]);
                        }
                    }
                }
            }
            assertThat(plan.assignments().get(1).read(f).toFloats()).containsExactly(ohwi);
            Tensor c1 = plan.assignments().get(2).read(f);
            assertThat(c1.shape()).isEqualTo(Shape.of(2, 1, 4, 3));
            assertThat(c1.toFloats()).startsWith(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 16);
            assertThat(plan.assignments().get(3).read(f).toFloats()).containsExactly(0, 1, 2, 3, 4, 5);
            assertThat(plan.assignments().get(4).read(f).toFloats()).containsExactly(oihw);
            assertThat(scope).isNotNull();
        }
    }

    @Test
    void filesInGraftsLayoutStayAsTheyAre() {
        try (Scope scope = Scope.open("test"); WeightFile f = file(new SafetensorsWriter()
                .metadata(Transform.LAYOUT_KEY, Transform.GRAFT_LAYOUT)
                .put("conv", DType.F32, Shape.of(2, 1, 1, 3), counting(6)))) {
            LoadPlan plan = NameMap.standard().plan(List.of(target("conv", Kind.CONV_WEIGHT, 2, 1, 1, 3)), f);
            assertThat(plan.assignments().get(0).read(f).toFloats()).containsExactly(0, 1, 2, 3, 4, 5);
            assertThat(scope).isNotNull();
        }
    }

    @Test
    void theStateDictInsideACheckpointIsFound() {
        SafetensorsWriter w = new SafetensorsWriter();
        for (String prefix : List.of("optimizer.state.", "ema.", "state_dict.module.", "other.")) {
            w.put(prefix + "fc.weight", DType.F32, Shape.of(2, 3), counting(6));
            w.put(prefix + "fc.bias", DType.F32, prefix.equals("other.") ? Shape.of(3) : Shape.of(2),
                    counting(prefix.equals("other.") ? 3 : 2));
        }
        List<Target> targets = List.of(target("fc.weight", Kind.LINEAR_WEIGHT, 2, 3), target("fc.bias", Kind.BIAS, 2));
        try (WeightFile f = file(w)) {
            LoadReport report = NameMap.standard().plan(targets, f).report();
            assertThat(report.prefix()).isEqualTo("state_dict.module.");
            assertThat(report.complete()).isTrue();
            assertThat(report.unused()).isEmpty();
            assertThat(report.outside()).hasSize(6).contains("ema.fc.bias");
        }
    }

    @Test
    void everythingThatDoesNotFitIsReported() {
        List<Target> targets = List.of(target("body.0.weight", Kind.LINEAR_WEIGHT, 2, 3), target("head.weight",
                Kind.LINEAR_WEIGHT, 5, 2), target("head.bias", Kind.BIAS, 5), target("norm.gamma", Kind.NORM_WEIGHT, 2),
                new Target("steps", Shape.SCALAR, DType.I64, Kind.OTHER));
        try (Scope scope = Scope.open("test"); WeightFile f = file(new SafetensorsWriter()
                .put("body.0.weight", DType.BF16, Shape.of(2, 3), counting(6))
                .put("head.weight", DType.F32, Shape.of(1000, 2), new float[2000])
                .put("heads.bias", DType.F32, Shape.of(5), counting(5))
                .put("bn.num_batches_tracked", Shape.SCALAR, new long[1])
                .put("steps", DType.F32, Shape.SCALAR, new float[1]))) {
            LoadPlan plan = NameMap.standard().plan(targets, f);
            LoadReport r = plan.report();
            assertThat(r.complete()).isFalse();
            assertThat(r.loaded()).extracting(LoadReport.Loaded::target).containsExactly("body.0.weight");
            assertThat(r.casts()).containsExactly(new LoadReport.Cast("body.0.weight", DType.BF16, DType.F32));
            assertThat(plan.assignments().get(0).read(f).toFloats()).containsExactly(0, 1, 2, 3, 4, 5);
            assertThat(r.mismatched()).extracting(LoadReport.Mismatch::reason)
                    .containsExactly("file [1000, 2], model [5, 2]", "file float32, model int64");
            assertThat(r.missing()).containsExactly(
                    new LoadReport.Missing("head.bias", Shape.of(5), List.of("heads.bias")),
                    new LoadReport.Missing("norm.gamma", Shape.of(2), List.of()));
            assertThat(r.unused()).extracting(LoadReport.Unused::source)
                    .containsExactly("heads.bias", "bn.num_batches_tracked");
            assertThat(r.toString().lines()).containsExactly(
                    "w.safetensors (safetensors): 1 of 5 loaded, 2 missing, 2 mismatched, 2 unused, 1 cast",
                    "  missing     head.bias              [5]  nearest: heads.bias",
                    "  missing     norm.gamma             [2]",
                    "  mismatched  head.weight            file [1000, 2], model [5, 2]",
                    "  mismatched  steps                  file float32, model int64",
                    "  unused      heads.bias             [5]  nearest: head.bias",
                    "  unused      *.num_batches_tracked  1 counters of batch normalisations",
                    "  cast        body.0.weight          bfloat16 to float32");
            assertThat(scope).isNotNull();
        }
    }

    @Test
    void namesAreRenamedAndTargetsChosen() {
        List<Target> targets = List.of(target("backbone.fc.weight", Kind.LINEAR_WEIGHT, 2, 3),
                target("head.weight", Kind.LINEAR_WEIGHT, 7, 2));
        try (WeightFile f = file(new SafetensorsWriter().put("net.dense.kernel", DType.F32, Shape.of(2, 3), counting(6)))) {
            LoadPlan plan = NameMap.standard().rename("dense", "fc").rename("\\.kernel$", ".weight").into("backbone.")
                    .plan(targets, f);
            assertThat(plan.report().complete()).isTrue();
            assertThat(plan.report().prefix()).isEqualTo("net.");
            assertThat(plan.assignments().get(0).source().name()).isEqualTo("net.dense.kernel");
            assertThat(plan.assignments().get(0).target().name()).isEqualTo("backbone.fc.weight");
        }
    }

    @Test
    void integersThatDoNotFitAreAnError() {
        try (Scope scope = Scope.open("test");
                WeightFile f = file(new SafetensorsWriter().put("n", Shape.of(1), new long[] {1L << 40}))) {
            LoadPlan plan = NameMap.standard().plan(List.of(new Target("n", Shape.of(1), DType.I32, Kind.OTHER)), f);
            assertThatThrownBy(() -> plan.assignments().get(0).read(f)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("'n'");
            assertThat(scope).isNotNull();
        }
    }

    @Test
    void distancesAreLevenshteins() {
        assertThat(NearestNames.distance("kitten", "sitting", 9)).isEqualTo(3);
        assertThat(NearestNames.distance("", "abc", 9)).isEqualTo(3);
        assertThat(NearestNames.distance("same", "same", 0)).isZero();
        assertThat(NearestNames.distance("kitten", "sitting", 2)).isGreaterThan(2);
    }

    @Test
    void aRealCheckpointFillsItsNetwork() {
        check("cifar10/resnet20-12fca82f.th", new CifarResNet(20, 10), "state_dict.module.", "conv1.weight");
    }

    @Test
    void realSafetensorsFillTheirNetwork() {
        check("imagenet-mobilenet_v2/mobilenet_v2_1.0_224.safetensors", new MobileNetV2(1000, true), "",
                "features.0.0.weight");
    }

    /** Every target is loaded, and one convolution is compared with the file element by element. */
    private static void check(String name, Module network, String prefix, String conv) {
        String data = System.getProperty("graft.test.data");
        Path path = data == null ? null : Path.of(data, name);
        assumeTrue(path != null && Files.exists(path), name + " is not beside this checkout (graft.test.data)");
        try (Scope scope = Scope.open("test"); WeightFile f = WeightFile.open(path)) {
            LoadPlan plan = NameMap.standard().plan(Target.of(network), f);
            assertThat(plan.report().complete()).as(plan.report().toString()).isTrue();
            assertThat(plan.report().prefix()).isEqualTo(prefix);
            List<String> strange = new ArrayList<>();
            plan.report().unused().forEach(u -> strange.add(u.source()));
            assertThat(strange).allMatch(s -> s.endsWith("num_batches_tracked"));
            LoadPlan.Assignment a = plan.assignments().stream().filter(x -> x.target().name().equals(conv)).findFirst()
                    .orElseThrow();
            float[] stored = f.floats(a.source().name());
            Tensor read = a.read(f);
            Shape s = a.source().shape();
            int at = 0;
            for (int o = 0; o < s.dim(0); o++) {
                for (int i = 0; i < s.dim(1); i++) {
                    for (int y = 0; y < s.dim(2); y++) {
                        for (int x = 0; x < s.dim(3); x++) {
                            assertThat((float) read.get(o, y, x, i)).isEqualTo(stored[at++]);
                        }
                    }
                }
            }
            assertThat(scope).isNotNull();
        } finally {
            network.close();
        }
    }
}
