package dev.graft.pretrained;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.tensor.GraftException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a weight file says of itself, so that nothing else is needed to predict with it. In safetensors it is metadata under
 * keys that begin with {@code graft.}.
 *
 * @param model         the zoo's name
 * @param options       the model's options, all of them
 * @param classes       the names of the outputs, empty when unknown
 * @param preprocessing what images go through
 */
public record ModelDescription(String model, Map<String, String> options, List<String> classes,
                               Preprocessing preprocessing) {
    private static final String MODEL = "graft.model";
    private static final String OPTIONS = "graft.options";
    private static final String CLASSES = "graft.classes";
    private static final String PREPROCESSING = "graft.preprocessing";

    /** Made only for files that describe themselves: it takes as long as reading a small network. */
    private static final class Json {
        static final JsonMapper MAPPER = JsonMapper.builder().build();
    }

    public ModelDescription {
        options = Map.copyOf(options);
        classes = List.copyOf(classes);
    }

    /** As entries for a file's metadata. */
    public Map<String, String> toMetadata() {
        Map<String, String> m = new LinkedHashMap<>();
        m.put("format", "pt"); // what PyTorch's own readers look for
        m.put(MODEL, model);
        m.put(OPTIONS, json(new TreeMap<>(options)));
        m.put(CLASSES, json(classes));
        m.put(PREPROCESSING, json(preprocessing));
        return m;
    }

    /** Whether a file with this metadata describes itself. */
    public static boolean isIn(Map<String, String> metadata) {
        return metadata.containsKey(MODEL);
    }

    /** Reads what {@link #toMetadata} gave; {@code file} is for messages. */
    public static ModelDescription from(Map<String, String> metadata, Path file) {
        if (!isIn(metadata)) {
            throw new GraftException(file + ": the file does not say which model it belongs to (it was not written by"
                    + " Graft): name the model");
        }
        try {
            return new ModelDescription(metadata.get(MODEL),
                    Json.MAPPER.readValue(metadata.getOrDefault(OPTIONS, "{}"), new TypeReference<Map<String, String>>() {}),
                    Json.MAPPER.readValue(metadata.getOrDefault(CLASSES, "[]"), new TypeReference<List<String>>() {}),
                    Json.MAPPER.readValue(metadata.getOrDefault(PREPROCESSING, ""), Preprocessing.class));
        } catch (JsonProcessingException | NullPointerException e) {
            throw new GraftException(file + ": what the file says of its model cannot be read ("
                    + (e instanceof JsonProcessingException j ? j.getOriginalMessage() : "it has empty entries")
                    + "): name the model", e);
        }
    }

    private static String json(Object value) {
        try {
            return Json.MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new GraftException("the description of a model cannot be written as JSON: " + e.getOriginalMessage(), e);
        }
    }
}
