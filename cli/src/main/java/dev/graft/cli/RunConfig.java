package dev.graft.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.cli.report.RunFiles;
import dev.graft.pretrained.Preprocessing;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a run began with, beside its plan: all that is needed to go on with it. Kept as {@code run.json}.
 *
 * @param model         zoo name
 * @param options       of the model, all of them
 * @param weights       absolute path of the weight file; null where the weights are Graft's own or random
 * @param preprocessing what images go through
 * @param data          absolute path of the images
 * @param valFraction   share of the images kept for validation where the folder has no such part
 * @param threads       of the computation; 0 for all cores
 * @param workers       threads that decode; null for the loader's default
 * @param cache         whether features of frozen stages are kept on disk
 */
record RunConfig(
        @JsonProperty("model") String model,
        @JsonProperty("options") Map<String, String> options,
        @JsonProperty("weights") String weights,
        @JsonProperty("preprocessing") Preprocessing preprocessing,
        @JsonProperty("data") String data,
        @JsonProperty("val_fraction") double valFraction,
        @JsonProperty("threads") int threads,
        @JsonProperty("workers") Integer workers,
        @JsonProperty("cache") boolean cache) {
    static final String FILE = "run.json";
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES).build();

    RunConfig {
        options = options == null ? Map.of() : Map.copyOf(options);
        if (model == null || preprocessing == null || data == null || !(valFraction > 0 && valFraction < 1) || threads < 0
                || workers != null && workers < 0) {
            throw new GraftException("run: a model, its preprocessing, data, a validation fraction between 0 and 1 and no"
                    + " negative number of threads and workers are needed, got " + model + ", " + preprocessing + ", " + data
                    + ", " + valFraction + ", " + threads + ", " + workers);
        }
    }

    void write(Path folder) throws IOException {
        RunFiles.writeJson(folder.resolve(FILE), this);
    }

    static RunConfig read(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            throw new GraftException(folder + " is not the folder of a run: it has no " + FILE);
        }
        try {
            return JSON.readValue(file.toFile(), RunConfig.class);
        } catch (JsonProcessingException e) {
            throw new GraftException(file + " is damaged: " + e.getOriginalMessage(), e);
        }
    }
}
