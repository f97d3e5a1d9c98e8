package dev.graft.benchmarks;

import dev.graft.nn.Module;
import dev.graft.pretrained.vision.MobileNetV2;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Context;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.Op;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The convolutions that networks do, found by listening to one image going through them. */
final class NetworkShapes implements Interceptor {
    private static final int BATCH = 8;

    private final Set<String> shapes = new LinkedHashSet<>();

    private NetworkShapes() {}

    /** Of ResNet-18, ResNet-50 and MobileNetV2, each once, as {@link ConvolutionBenchmark} writes them. */
    static Set<String> convolutions() {
        NetworkShapes heard = new NetworkShapes();
        for (Module net : List.of(new ResNet(false, 10, 2, 2, 2, 2), new ResNet(true, 10, 3, 4, 6, 3),
                new MobileNetV2(10, false))) {
            try (net; Scope s = Scope.open("shapes")) {
                Tensor image = Tensor.zeros(1, 224, 224, 3);
                Context.current().with(heard).run(() -> net.call(image));
            }
        }
        return heard.shapes;
    }

    @Override
    public boolean needsPrimitives(Tensor[] inputs) {
        return true;
    }

    @Override
    public Tensor[] intercept(Op op, Tensor[] in, Next next) {
        if (op instanceof ConvOp.Conv2d c) {
            shapes.add(String.format("%dx%dx%dx%dx%dx%dx%d", BATCH, in[0].dim(1), in[0].dim(3), in[1].dim(0), in[1].dim(1),
                    c.params().strideH(), c.params().groups()));
        }
        return next.run(op, in);
    }
}
