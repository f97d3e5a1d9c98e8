package dev.graft.pretrained;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * Prints the contents of {@code recordings.json}; run it when weights that Graft knows change. Arguments: the folder of real
 * data. Takes some minutes: every op runs naively in float64.
 */
final class RecordOutputs {
    private RecordOutputs() {}

    public static void main(String[] args) throws JsonProcessingException {
        Path data = Path.of(args[0]);
        Path mobileNet = data.resolve("imagenet-mobilenet_v2/mobilenet_v2_1.0_224.safetensors");
        List<String> lines = new ArrayList<>();
        lines.add(record("mobilenet_v2", "padding", "same", mobileNet));
        lines.add(record("mobilenet_v2", "padding", "torch", mobileNet));
        lines.add(record("squeezenet1_1", null, null,
                data.resolve("imagenet-squeezenet1_1/squeezenet1_1_features.safetensors")));
        lines.add(record("resnet20_cifar", null, null, data.resolve("cifar10/resnet20-12fca82f.th")));
        lines.add(record("resnet32_cifar", null, null, data.resolve("cifar10/resnet32-d509ac18.th")));
        lines.add(record("graft_cifar", null, null,
                Path.of("pretrained/src/main/resources/dev/graft/pretrained/graft_cifar.safetensors")));
        System.out.println("[\n" + String.join(",\n", lines) + "\n]");
    }

    private static String record(String name, String option, String value, Path weights) throws JsonProcessingException {
        ZooModel zoo = ModelZoo.find(name);
        try (PretrainedModel m = (option == null ? zoo : zoo.option(option, value)).load(weights)) {
            Recording r = Recording.make(m, KnownWeights.sha256(weights));
            return JsonMapper.builder().build().writeValueAsString(new Recording(r.model(), new TreeMap<>(r.options()),
                    r.sha256(), r.size(), r.output(), r.indices(), r.values()));
        }
    }
}
