package dev.graft.benchmarks;

import java.util.Map;

/**
 * What a benchmark has to do at least: float32 operations of the direct algorithm, and bytes of its inputs and outputs, each
 * once. Winograd's convolutions do fewer operations and may pass 100 %.
 */
record Cost(double flops, double bytes) {
    /** The cost of one call, or null where it is not counted. {@code benchmark} is Class.method. */
    static Cost of(String benchmark, Map<String, String> params) {
        String method = benchmark.substring(benchmark.indexOf('.') + 1);
        if (benchmark.startsWith("MatMulBenchmark")) {
            double[] s = sizes(params.get("mnk"));
            return new Cost(2 * s[0] * s[1] * s[2], 4 * (s[0] * s[1] + s[0] * s[2] + s[1] * s[2]));
        }
        if (benchmark.startsWith("ConvolutionBenchmark")) {
            double[] s = sizes(params.get("shape"));
            double out = Math.floor((s[1] + 2 * Math.floor(s[4] / 2) - s[4]) / s[5]) + 1;
            double y = s[0] * out * out * s[3];
            double w = s[3] * s[4] * s[4] * s[2] / s[6];
            return new Cost(2 * y * s[4] * s[4] * s[2] / s[6], 4 * (s[0] * s[1] * s[1] * s[2] + y + w));
        }
        if (benchmark.startsWith("AttentionBenchmark")) {
            double[] s = sizes(params.get("heads"));
            double product = 2 * s[0] * s[2] * s[1] * s[1] * s[3];
            return new Cost(method.equals("forward") ? 2 * product : 5 * product,
                    4 * s[0] * s[1] * s[2] * s[3] * (method.equals("forward") ? 4 : 8));
        }
        if (benchmark.startsWith("MemoryBoundBenchmark")) {
            double image = 4.0 * 16 * 56 * 56 * 64;
            double large = 4 * image;
            double tokens = 4.0 * 2048 * 768;
            double scores = 4.0 * 12288 * 128;
            double weights = 4.0 * MemoryBoundBenchmark.PARAMETERS;
            double bytes = switch (method) {
                case "relu", "gelu", "tanh", "exp" -> 2 * image;
                case "add", "reluBackward", "geluBackward" -> 3 * image;
                case "batchNormForward" -> 3 * image;
                case "batchNormBackward" -> 5 * image;
                case "layerNorm" -> 2 * tokens;
                case "layerNormBackward" -> 3 * tokens;
                case "maxPool" -> large + 2 * image;
                case "maxPoolBackward" -> large + 2 * image;
                case "averagePool" -> large;
                case "softmax" -> 2 * scores;
                case "softmaxBackward" -> 3 * scores;
                case "crossEntropy" -> scores;
                case "sgdStep" -> 5 * weights;
                case "adamwStep" -> 7 * weights;
                default -> Double.NaN;
            };
            return Double.isNaN(bytes) ? null : new Cost(0, bytes);
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
