package dev.graft.nn.transfer;

import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Names a set of features by what they were computed from: the weights of the stages, the images, and what was done to
 * them. Anything that changes gives another key, so a cached file is never out of date.
 */
final class FeatureKey {
    private static final int CHUNK = 1 << 14;
    private final MessageDigest digest;

    private FeatureKey() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    static String of(StagedNetwork net, int prefix, Dataset data, Transforms transforms) {
        FeatureKey k = new FeatureKey();
        k.text("features 1");
        for (Stage s : net.stages().subList(0, prefix)) {
            k.text(s.name());
            net.parameters().forEach((path, p) -> {
                if (s.parameters().matches(path)) {
                    k.tensor(path, p.value());
                }
            });
            net.buffers().forEach((path, b) -> {
                if (s.parameters().matches(path)) {
                    k.tensor(path, b.value());
                }
            });
        }
        k.text(net.toString().lines().filter(l -> !l.contains(" " + lastStep(net.headPath()) + ": ")).toList().toString());
        k.text(transforms.fingerprint());
        for (int i = 0; i < data.size(); i++) {
            k.text(data.key(i));
        }
        return HexFormat.of().formatHex(k.digest.digest());
    }

    private static String lastStep(String path) {
        return path.substring(path.lastIndexOf('.') + 1);
    }

    private void text(String s) {
        byte[] b = s.getBytes(StandardCharsets.UTF_8);
        digest.update(ByteBuffer.allocate(4).putInt(b.length).array());
        digest.update(b);
    }

    private void tensor(String path, Tensor t) {
        text(path + t.spec());
        double[] none = {};
        if (t.dtype() != dev.graft.tensor.DType.F32) {
            double[] v = t.size() == 0 ? none : t.toDoubles();
            text(java.util.Arrays.toString(v));
            return;
        }
        float[] v = t.toFloats();
        ByteBuffer buffer = ByteBuffer.allocate(4 * CHUNK).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < v.length; at += CHUNK) {
            int n = Math.min(CHUNK, v.length - at);
            buffer.clear();
            buffer.asFloatBuffer().put(v, at, n);
            buffer.limit(4 * n);
            digest.update(buffer);
        }
    }
}
