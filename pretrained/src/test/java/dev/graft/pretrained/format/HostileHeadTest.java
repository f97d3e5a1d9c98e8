package dev.graft.pretrained.format;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.Parameter;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.ZooModel;
import dev.graft.tensor.GraftException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostileHeadTest {
    private static final int CLASSES = 60_000_000;

    @TempDir
    private Path folder;

    /** PyTorch's order of axes. */
    private static long[] sizes(Parameter p) {
        int[] d = p.shape().dims();
        return p.kind() == Parameter.Kind.CONV_WEIGHT ? new long[] {d[0], d[3], d[1], d[2]}
                : IntStream.of(d).asLongStream().toArray();
    }

    /** A few kilobytes whose head claims many classes, one number broadcast to all of them. */
    @Test
    void aHeadOfMillionsOfClassesIsRefusedBeforeTheyAreNamed() throws Exception {
        ZooModel model = ModelZoo.find("resnet20_cifar");
        Map<String, long[]> tensors = new LinkedHashMap<>();
        try (StagedNetwork net = model.create()) {
            net.parameters().forEach((path, p) -> tensors.put(path, sizes(p)));
            net.buffers().forEach((path, b) -> {
                if (b.value().rank() == 1) {
                    tensors.put(path, new long[] {b.value().dim(0)});
                }
            });
        }
        tensors.put("linear.bias", new long[] {CLASSES});
        PickleBytes p = new PickleBytes().op('}', '(');
        tensors.forEach((name, sizes) -> p.str(name).tensor("FloatStorage", "0", 1, 0, sizes, new long[sizes.length]));
        Path file = folder.resolve("hostile.pt");
        Files.write(file, WeightFiles.zip(true, Map.of("m/data.pkl", p.op('u').stop(), "m/data/0", new byte[4])));
        assertThatThrownBy(() -> model.load(file).close()).isInstanceOf(GraftException.class)
                .hasMessageContaining("hostile.pt").hasMessageContaining("" + CLASSES);
    }
}
