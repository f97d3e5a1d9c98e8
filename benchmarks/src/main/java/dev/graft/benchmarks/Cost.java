package dev.graft.benchmarks;

import java.util.Map;

/**
 * What a benchmark has to do at least: float32 operations of the direct algorithm, and bytes of its inputs and outputs, each
 * once; of norms and poolings without the values that are one per channel or row. Winograd's convolutions do fewer
 * operations and may pass 100 %.
 */
record Cost(double flops, double bytes) {
    /** The cost of one call, or null where it is not counted. {@code benchmark} is Class.method. */
    static Cost of(String benchmark, Map<String, String> params) {
        String method = benchmark.substring(benchmark.indexOf('.') + 1);
        if (benchmark.startsWith("MatMulBenchmark")) {
            double[] s = sizes(params.get("mnk"));
            double batch = s.length == 4 ? s[0] : 1;
            double m = s[s.length - 3];
            double n = s[s.length - 2];
            double k = s[s.length - 1];
            return new Cost(2 * batch * m * n * k, 4 * batch * (m * n + m * k + n * k));
        }
        if (benchmark.startsWith("ConvolutionBenchmark")) {
            double[] s = sizes(params.get("shape"));
            double out = Math.floor((s[1] + 2 * Math.floor((s[4] - 1) / 2) - s[4]) / s[5]) + 1;
            double y = s[0] * out * out * s[3];
            double w = s[3] * s[4] * s[4] * s[2] / s[6];
            return new Cost(2 * y * s[4] * s[4] * s[2] / s[6], 4 * (s[0] * s[1] * s[1] * s[2] + y + w));
        }
        if (benchmark.startsWith("AttentionBenchmark")) {
            double[] s = sizes(params.get("heads"));
            double product = 2 * s[0] * s[2] * s[1] * s[1] * s[3];
            double rows = s[0] * s[1] * s[2];
            boolean forward = method.equals("forward");
            return new Cost((forward ? 2 : 5) * product, 4 * ((forward ? 4 : 8) * rows * s[3] + rows));
        }
        if (benchmark.startsWith("StoredLinearBenchmark")) {
            double[] s = sizes(params.get("linear"));
            boolean bf16 = params.get("weights").equals("BF16");
            double bias = method.equals("forward") ? s[2] : 0;
            return new Cost(2 * s[0] * s[1] * s[2], 4 * (s[0] * (s[1] + s[2]) + bias)
                    + (bf16 ? 2 * s[1] * s[2] : s[1] * s[2] + 4 * s[2]));
        }
        if (benchmark.startsWith("InvertedResidualBenchmark")) {
            double[] s = sizes(params.get("block"));
            double seen = s[0] * s[1] * s[1];
            double made = s[0] * Math.ceil(s[1] / s[5]) * Math.ceil(s[1] / s[5]);
            double weights = s[2] * s[3] + 9 * s[3] + s[3] * s[4];
            return new Cost(2 * (seen * s[2] * s[3] + made * s[3] * (9 + s[4])),
                    4 * (seen * s[2] + made * s[4] + weights + 2 * s[3] + s[4]));
        }
        if (benchmark.startsWith("MemoryBoundBenchmark")) {
            double image = 4.0 * 16 * 56 * 56 * 64;
            double large = 4 * image;
            double tokens = 4.0 * 2048 * 768;
            double scores = 4.0 * 12288 * 128;
            double weights = 4.0 * MemoryBoundBenchmark.PARAMETERS;
            double bytes = switch (method) {
                case "relu", "gelu", "tanh", "exp", "dropout", "batchNormForward" -> 2 * image;
                case "add", "reluBackward", "geluBackward", "batchNormBackward" -> 3 * image;
                case "layerNorm" -> 2 * tokens;
                case "layerNormBackward" -> 3 * tokens;
                case "maxPool", "maxPoolBackward" -> large + 2 * image;     // values and places
                case "averagePool" -> large;
                case "softmax" -> 2 * scores;
                case "softmaxBackward" -> 3 * scores;
                case "crossEntropy" -> scores + 3 * 4.0 * 12288;
                case "sgdStep" -> 5 * weights;          // the gradient is read, the others are read and written
                case "adamwStep" -> 7 * weights;
                default -> Double.NaN;
            };
            return Double.isNaN(bytes) ? null : new Cost(0, bytes);
        }
        if (benchmark.startsWith("CatalogueBenchmark")) {
            return CatalogueRow.of(params.get("op")).cost();
        }
        return null;
    }

    /** The share of the peak that {@code seconds} are: of whichever of the two limits takes longer. */
    double share(double seconds, Peak peak) {
        return Math.max(flops / (peak.gflops() * 1e9), bytes / (peak.gigabytes() * 1e9)) / seconds;
    }

    private static double[] sizes(String text) {
        int[] s = Check.sizes(text);
        double[] d = new double[s.length];
        for (int i = 0; i < d.length; i++) {
            d[i] = s[i];
        }
        return d;
    }
}
