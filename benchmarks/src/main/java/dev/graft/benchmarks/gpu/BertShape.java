package dev.graft.benchmarks.gpu;

import dev.graft.nn.Dropout;
import dev.graft.nn.Embedding;
import dev.graft.nn.LayerNorm;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import java.util.ArrayList;
import java.util.List;

/**
 * The computations of BERT (Devlin et al. 2018, arXiv:1810.04805) for classification: token numbers [N, T] to [N, classes],
 * post-norm layers, the first token's state into a classifier. The peer's {@code models.py} has the same.
 */
final class BertShape extends Module {
    private final Embedding word;
    private final Embedding position;
    private final LayerNorm norm;
    private final Dropout dropout;
    private final List<Layer> layers = new ArrayList<>();
    private final Linear classifier;

    BertShape(int classes, int depth, int width, int heads, int inner, int vocabulary, int positions, double drop) {
        word = child("word", new Embedding(vocabulary, width));
        position = child("position", new Embedding(positions, width));
        norm = child("norm", new LayerNorm(width, 1e-12));
        dropout = child("dropout", new Dropout(drop));
        for (int i = 0; i < depth; i++) {
            layers.add(child("layer" + i, new Layer(width, heads, inner, drop)));
        }
        classifier = child("classifier", new Linear(width, classes));
    }

    @Override
    protected Tensor forward(Tensor tokens) {
        Tensor places = Dispatcher.one(new CreateOp.Arange(new TensorSpec(DType.I32, Shape.of(tokens.dim(1))), 0, 1,
                tokens.device()));
        Tensor x = dropout.call(norm.call(word.call(tokens).add(position.call(places))));
        for (Layer l : layers) {
            x = l.call(x);
        }
        Tensor first = x.slice(1, 0, 1).reshape(x.dim(0), x.dim(2));
        return classifier.call(first);
    }

    /** Attention and two linear layers, each with dropout, added and normalised. */
    private static final class Layer extends Module {
        private final int heads;
        private final Linear query;
        private final Linear key;
        private final Linear value;
        private final Linear out;
        private final LayerNorm norm1;
        private final Linear linear1;
        private final Linear linear2;
        private final LayerNorm norm2;
        private final Dropout dropout;

        Layer(int width, int heads, int inner, double drop) {
            this.heads = heads;
            query = child("query", new Linear(width, width));
            key = child("key", new Linear(width, width));
            value = child("value", new Linear(width, width));
            out = child("out", new Linear(width, width));
            norm1 = child("norm1", new LayerNorm(width, 1e-12));
            linear1 = child("linear1", new Linear(width, inner));
            linear2 = child("linear2", new Linear(inner, width));
            norm2 = child("norm2", new LayerNorm(width, 1e-12));
            dropout = child("dropout", new Dropout(drop));
        }

        @Override
        protected Tensor forward(Tensor x) {
            Tensor a = split(query.call(x)).attention(split(key.call(x)), split(value.call(x)), null, false);
            Tensor y = norm1.call(x.add(dropout.call(out.call(a.reshape(x.shape())))));
            return norm2.call(y.add(dropout.call(linear2.call(linear1.call(y).gelu()))));
        }

        private Tensor split(Tensor x) {
            return x.reshape(x.dim(0), x.dim(1), heads, x.dim(2) / heads);
        }
    }
}
