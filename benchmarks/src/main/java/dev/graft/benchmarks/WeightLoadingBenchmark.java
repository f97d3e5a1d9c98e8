package dev.graft.benchmarks;

import dev.graft.nn.Module;
import dev.graft.pretrained.LoadOptions;
import dev.graft.pretrained.WeightLoader;
import dev.graft.pretrained.format.SafetensorsWriter;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.Blackhole;

/** A ResNet-18's weights (45 MB) from a safetensors file in PyTorch's layout into a network. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class WeightLoadingBenchmark {
    private Path file;
    private Module net;

    @Setup
    public void setup() throws IOException {
        file = Files.createTempFile("graft-benchmark", ".safetensors");
        net = new ResNet(false, 1000, 2, 2, 2, 2).initialize(1);
        SafetensorsWriter writer = new SafetensorsWriter();
        net.parameters().forEach((name, p) -> writer.put(name,
                p.shape().rank() == 4 ? p.value().permute(0, 3, 1, 2) : p.value()));
        net.buffers().forEach((name, b) -> writer.put(name, b.value()));
        writer.write(file);
        Tensor before = net.parameters().get("layer4.1.conv2.weight").value().copy();
        net.initialize(2);
        load();
        if (!java.util.Arrays.equals(before.toFloats(), net.parameters().get("layer4.1.conv2.weight").value().toFloats())) {
            throw new IllegalStateException("other weights were loaded than were saved");
        }
    }

    @TearDown
    public void remove() throws IOException {
        Files.deleteIfExists(file);
    }

    @Benchmark
    public void safetensors(Blackhole sink) {
        sink.consume(load());
    }

    private Object load() {
        return WeightLoader.load(net, file, LoadOptions.STRICT);
    }
}
