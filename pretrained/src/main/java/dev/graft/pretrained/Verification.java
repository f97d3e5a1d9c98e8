package dev.graft.pretrained;

import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.tensor.backend.Backends;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Whether a pretrained model gives, on this machine and backend, what it should: for known weights the outputs that were
 * recorded in float64, for others what the reference backend gives here. See {@link ZooModel#verify(Path)}.
 *
 * @param model      name in the zoo
 * @param options    the model's options
 * @param weights    the file's name, or what messages call it
 * @param sha256     of the weights
 * @param backend    what computed the outputs
 * @param recorded   whether outputs of exactly these weights and options were recorded
 * @param compared   how many values were compared, and of what
 * @param difference largest absolute difference; NaN when an output is not finite
 * @param tolerance  the difference that is allowed
 */
public record Verification(String model, Map<String, String> options, String weights, String sha256, String backend,
                           boolean recorded, String compared, double difference, double tolerance) {
    /** Absolute for outputs up to 1, relative to the largest beyond: what float32 reaches in deep networks with room. */
    private static final double TOLERANCE = 1e-3;
    /** Pixels of the input that the reference, slow as it is, can take. */
    private static final int REFERENCE_SIZE = 64;

    static Verification of(PretrainedModel model, String weights, String sha256) {
        Optional<Recording> known = Recording.find(model.name(), model.options(), sha256);
        StagedNetwork network = model.network();
        Recording.Output output = known.map(Recording::output)
                .orElse(model.headLoaded() ? Recording.Output.LOGITS : Recording.Output.FEATURES);
        int size = known.map(Recording::size).orElse(Math.min(REFERENCE_SIZE, model.card().inputSize()));
        double[] got = Recording.run(network, size, output);
        double[] expected;
        double[] compared;
        if (known.isPresent()) {
            expected = known.get().values();
            compared = new double[expected.length];
            for (int i = 0; i < compared.length; i++) {
                int at = known.get().indices()[i];
                compared[i] = at < got.length ? got[at] : Double.NaN;
            }
        } else {
            expected = Recording.runReference(network, size, output);
            compared = got;
        }
        double difference = 0;
        double largest = 1;
        for (double v : got) {
            difference = Double.isFinite(v) ? difference : Double.NaN;
        }
        for (int i = 0; i < expected.length; i++) {
            difference = Math.max(difference, Math.abs(compared[i] - expected[i])); // NaN stays NaN
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        String what = expected.length + " " + output.name().toLowerCase(Locale.ROOT) + " of an input of " + size + " x "
                + size;
        return new Verification(model.name(), model.options(), weights, sha256, backend(network), known.isPresent(), what,
                difference, TOLERANCE * largest);
    }

    private static String backend(StagedNetwork network) {
        return Backends.of(network.device()).name();
    }

    /** Whether all outputs are finite and none is further off than allowed. */
    public boolean passed() {
        return difference <= tolerance;
    }

    /** Whether every output is a number. */
    public boolean finite() {
        return !Double.isNaN(difference);
    }

    /** The result in a few lines. */
    @Override
    public String toString() {
        String against = recorded ? "the outputs recorded for these weights"
                : "the reference backend on this machine (no outputs are recorded for these weights"
                + (options.isEmpty() ? "" : " with " + new TreeMap<>(options)) + ")";
        return model + " with " + weights + " (SHA-256 " + sha256.substring(0, 12) + ") on " + backend + ": "
                + (passed() ? "verified" : finite() ? "FAILED" : "FAILED, an output is not a finite number") + "\n  "
                + compared + " against " + against + ":\n  largest difference "
                + String.format(Locale.ROOT, "%.2e, allowed %.2e", difference, tolerance);
    }
}
