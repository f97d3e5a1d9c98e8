package dev.graft.benchmarks.peers;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * BERT-base's encoder (Devlin et al. 2018, arXiv:1810.04805) on embedded tokens, and a classifier of the first token's
 * state: what a fine-tuning step computes, but for the look-up of embeddings and dropout. Norms stand behind the residuals.
 */
public final class Encoder {
    public static final int WIDTH = 768;
    public static final int HEADS = 12;
    public static final int HIDDEN = 3072;
    public static final int TOKENS = 128;
    public static final int CLASSES = 2;
    public static final double EPS = 1e-12;
    public static final double LR = 2e-5;
    public static final double DECAY = 0.01;

    private Encoder() {}

    /** Shapes by name, in order; matrices are [out, in]. Names are those of PyTorch's nn.TransformerEncoder. */
    public static Map<String, int[]> shapes(int layers) {
        Map<String, int[]> s = new LinkedHashMap<>();
        for (int i = 0; i < layers; i++) {
            String p = layer(i);
            s.put(p + "self_attn.in_proj_weight", new int[] {3 * WIDTH, WIDTH});
            s.put(p + "self_attn.in_proj_bias", new int[] {3 * WIDTH});
            s.put(p + "self_attn.out_proj.weight", new int[] {WIDTH, WIDTH});
            s.put(p + "self_attn.out_proj.bias", new int[] {WIDTH});
            s.put(p + "linear1.weight", new int[] {HIDDEN, WIDTH});
            s.put(p + "linear1.bias", new int[] {HIDDEN});
            s.put(p + "linear2.weight", new int[] {WIDTH, HIDDEN});
            s.put(p + "linear2.bias", new int[] {WIDTH});
            s.put(p + "norm1.weight", new int[] {WIDTH});
            s.put(p + "norm1.bias", new int[] {WIDTH});
            s.put(p + "norm2.weight", new int[] {WIDTH});
            s.put(p + "norm2.bias", new int[] {WIDTH});
        }
        s.put("classifier.weight", new int[] {CLASSES, WIDTH});
        s.put("classifier.bias", new int[] {CLASSES});
        return s;
    }

    public static String layer(int i) {
        return "encoder.layers." + i + ".";
    }

    public static float[] value(String name, int[] dims) {
        int n = Values.count(dims);
        if (dims.length == 2) {
            return Values.uniform(name, n, -0.035, 0.035);
        }
        return name.contains("norm") && name.endsWith("weight") ? Values.uniform(name, n, 0.9, 1.1)
                : Values.uniform(name, n, -0.1, 0.1);
    }

    /** Whether weight decay applies: to matrices only. */
    public static boolean decays(int[] dims) {
        return dims.length == 2;
    }

    /** [batch, TOKENS, WIDTH]. */
    public static float[] inputs(int batch) {
        return Values.of("tokens", batch, TOKENS, WIDTH);
    }
}
