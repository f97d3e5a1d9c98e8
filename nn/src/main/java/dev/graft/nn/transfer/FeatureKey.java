package dev.graft.nn.transfer;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.Precision;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.Tensor;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Names a set of features by what they were computed from: the layers of the stages with their settings and weights, the
 * images, and what was done to them. Anything that changes gives another key, so a cached file is never out of date.
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

    /** Of the first {@code prefix} stages: a pass over all their weights, so it is taken once for several requests. */
    static String ofStages(StagedNetwork net, int prefix, Precision precision) {
        FeatureKey k = new FeatureKey();
        k.text("features 3");
        k.text(net.getClass().getName());
        if (net.device().kind() != Device.Kind.CPU || precision != Precision.FLOAT32) {    // other last bits
            k.text(net.device().kind() + " " + precision.label());
        }
        if (Context.current().numerics().precise()) {
            k.text("precise");
        }
        for (Stage s : net.stages().subList(0, prefix)) {
            k.text(s.name());
            k.stage(net, s.parameters());
        }
        return k.hex();
    }

    static String of(FeatureRequest request, FeatureFormat format) {
        Transforms transforms = request.transforms();
        FeatureKey k = new FeatureKey();
        k.text(request.network());
        k.text(format.stored().label());
        k.text(transforms.fingerprint());
        if (transforms.random()) {
            k.text("seed " + request.seed() + " copy " + request.copy());
        }
        for (int i = 0; i < request.data().size(); i++) {
            k.text(request.data().key(i));
        }
        return k.hex();
    }

    private String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }

    /** The layers of a stage with their settings, such as padding, and their values. */
    private void stage(StagedNetwork net, ParamSelector selector) {
        net.modules().forEach((path, m) -> {
            if (selector.matches(path)) {
                text(path + " " + m.toString().lines().findFirst().orElse(""));
            }
        });
        net.parameters().forEach((path, p) -> {
            if (selector.matches(path)) {
                tensor(path, p.value());
            }
        });
        net.buffers().forEach((path, b) -> {
            if (selector.matches(path)) {
                tensor(path, b.value());
            }
        });
    }

    private void text(String s) {
        byte[] b = s.getBytes(StandardCharsets.UTF_8);
        digest.update(ByteBuffer.allocate(4).putInt(b.length).array());
        digest.update(b);
    }

    private void tensor(String path, Tensor t) {
        text(path + t.spec());
        Object values = t.toArray();
        int bytes = t.dtype().bytes();
        int size = Array.getLength(values);
        ByteBuffer buffer = ByteBuffer.allocate(bytes * CHUNK).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < size; at += CHUNK) {
            int n = Math.min(CHUNK, size - at);
            buffer.clear();
            switch (values) {
                case float[] v -> buffer.asFloatBuffer().put(v, at, n);
                case double[] v -> buffer.asDoubleBuffer().put(v, at, n);
                case short[] v -> buffer.asShortBuffer().put(v, at, n);
                case int[] v -> buffer.asIntBuffer().put(v, at, n);
                case long[] v -> buffer.asLongBuffer().put(v, at, n);
                default -> buffer.put(0, (byte[]) values, at, n);
            }
            digest.update(buffer.limit(bytes * n));
        }
    }
}
