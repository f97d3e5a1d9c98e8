package dev.graft.benchmarks.peers;

import java.util.Locale;

/** Something that an engine can do once, and so be timed at. Images are [N, H, W, C], weights [O, kH, kW, I/groups]. */
public sealed interface Work {
    /** Unique, as families and shapes with slashes between, such as {@code conv3x3/64x56/b16/fwd}. */
    String name();

    /** Which works share a process. */
    String group();

    /** Whether doing it changes nothing of what it gives when it is done again. */
    default boolean repeatable() {
        return true;
    }

    /** What of an op is done. */
    enum Pass {
        FORWARD("fwd"),
        /** The forward pass with weights that stay as they are from call to call, as in a frozen layer. */
        FORWARD_FROZEN("fwd_frozen"),
        /** All gradients that training wants. */
        BACKWARD("bwd"),
        BACKWARD_DATA("bwd_data"),
        BACKWARD_WEIGHT("bwd_weight"),
        /** For engines that offer gradients only behind a forward pass. */
        FORWARD_AND_BACKWARD("fwd+bwd"),
        FORWARD_AND_DATA("fwd+bwd_data"),
        FORWARD_AND_WEIGHT("fwd+bwd_weight");

        private final String label;

        Pass(String label) {
            this.label = label;
        }

        public String label() {
            return label;
        }

        public boolean withForward() {
            return this == FORWARD_AND_BACKWARD || this == FORWARD_AND_DATA || this == FORWARD_AND_WEIGHT;
        }

        public boolean data() {
            return this != BACKWARD_WEIGHT && this != FORWARD_AND_WEIGHT;
        }

        public boolean weight() {
            return this != BACKWARD_DATA && this != FORWARD_AND_DATA;
        }
    }

    /** a [m, k] · b [k, n]; NT: b is [n, k]; TN: a is [k, m]. */
    record Gemm(Form form, int m, int n, int k) implements Work {
        /** What is transposed. */
        public enum Form { NN, NT, TN }

        @Override
        public String name() {
            return "gemm/" + m + "x" + k + "x" + n + "/" + form.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public String group() {
            return "gemm";
        }

        public int[] a() {
            return form == Form.TN ? new int[] {k, m} : new int[] {m, k};
        }

        public int[] b() {
            return form == Form.NT ? new int[] {n, k} : new int[] {k, n};
        }
    }

    /** A convolution of square images with padding kernel/2. */
    record Conv(int batch, int size, int in, int out, int kernel, int stride, int groups, Pass pass) implements Work {
        @Override
        public String name() {
            return family() + "/" + (in == out ? in + "x" + size : in + "-" + out + "x" + size) + "/b" + batch + "/"
                    + pass.label();
        }

        private String family() {
            return (groups > 1 ? "depthwise" : "conv") + kernel + "x" + kernel + (stride > 1 ? "s" + stride : "");
        }

        @Override
        public String group() {
            return groups > 1 ? "depthwise" : kernel == 3 && stride == 1 ? "conv3x3" : "conv";
        }

        public int outSize() {
            return (size + 2 * (kernel / 2) - kernel) / stride + 1;
        }

        public Conv with(Pass p) {
            return new Conv(batch, size, in, out, kernel, stride, groups, p);
        }

        public int[] x() {
            return new int[] {batch, size, size, in};
        }

        public int[] w() {
            return new int[] {out, kernel, kernel, in / groups};
        }

        public int[] y() {
            return new int[] {batch, outSize(), outSize(), out};
        }
    }

    /** An op that moves more than it computes. */
    record Op(Kind kind, Pass pass) implements Work {
        /** With the shape of the input. */
        public enum Kind {
            BATCH_NORM(16, 56, 56, 64), MAX_POOL(16, 112, 112, 64), RELU(16, 56, 56, 64), GELU(16, 56, 56, 64),
            TANH(16, 56, 56, 64), LAYER_NORM(2048, 768), CROSS_ENTROPY(512, 1000), ADAMW(25_600_000), SOFTMAX(12288, 128),
            EXP(16, 56, 56, 64), SGD(25_600_000);

            private final int[] dims;

            Kind(int... dims) {
                this.dims = dims;
            }

            public int[] dims() {
                return dims.clone();
            }

            public boolean isOptimizer() {
                return this == ADAMW || this == SGD;
            }
        }

        @Override
        public String name() {
            return "op/" + kind.name().toLowerCase(Locale.ROOT) + (kind.isOptimizer() ? "" : "/" + pass.label());
        }

        @Override
        public String group() {
            return "op";
        }

        @Override
        public boolean repeatable() {
            return !kind.isOptimizer();
        }
    }

    /** What is done with a whole network. */
    enum Task {
        INFERENCE("inference"),
        /** Batch norms folded into their convolutions by the user beforehand. */
        INFERENCE_FOLDED("inference_folded"),
        /** All parameters learn, batch norms in training mode. */
        FULL_STEP("full_step"),
        /** The last layer learns; the rest is evaluated without gradient in every step. */
        HEAD_STEP("head_step"),
        /** The last layer learns for an epoch of {@link ConvNet#EPOCH} images whose features are kept. */
        HEAD_EPOCH("head_epoch_cached");

        private final String label;

        Task(String label) {
            this.label = label;
        }

        boolean infers() {
            return this == INFERENCE || this == INFERENCE_FOLDED;
        }

        public String label() {
            return label;
        }
    }

    /** A convolutional network on [batch, 224, 224, 3]. */
    record Net(ConvNet net, int batch, Task task) implements Work {
        @Override
        public String name() {
            return net.name() + "/b" + batch + "/" + task.label();
        }

        @Override
        public String group() {
            return net.name();
        }

        @Override
        public boolean repeatable() {
            return task.infers();
        }
    }

    /** BERT's encoder on [batch, {@link Encoder#TOKENS}, {@link Encoder#WIDTH}]. */
    record Bert(int layers, int batch, Task task) implements Work {
        @Override
        public String name() {
            return "bert" + layers + "/" + batch + "x" + Encoder.TOKENS + "/" + task.label();
        }

        @Override
        public String group() {
            return "bert";
        }

        @Override
        public boolean repeatable() {
            return task.infers();
        }
    }
}
