package dev.graft.cli;

import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import dev.graft.pretrained.ZooModel;
import dev.graft.tensor.GraftException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/** The options with which commands name a network and its weights. */
final class ModelArguments {
    @Option(names = "--model", paramLabel = "NAME", description = "Network; 'graft models' lists them.")
    String model;

    @Option(names = "--weights", paramLabel = "FILE",
            description = "Pretrained weights: safetensors or PyTorch. Not needed for models whose weights are in Graft.")
    Path weights;

    @Option(names = "--model-option", paramLabel = "KEY=VALUE", description = "For example padding=same. Repeatable.")
    private final Map<String, String> options = new LinkedHashMap<>();

    @Option(names = "--preprocess", paramLabel = "torch|tf",
            description = "Pixel normalisation; by default what the model and its weights expect.")
    private String preprocess;

    /** The model with the options given. */
    ZooModel choose() {
        ZooModel m = ModelZoo.find(model).options(options);
        return preprocess == null ? m : m.preprocess(preprocess);
    }

    /** {@code model} with the weights of {@code file}, or with Graft's own where that is null. */
    static PretrainedModel load(ZooModel model, Path file) {
        if (file != null) {
            return model.load(file);
        }
        if (model.hasBundledWeights()) {
            return model.load();
        }
        List<String> bundled = ModelZoo.all().stream().filter(ZooModel::hasBundledWeights).map(ZooModel::name).toList();
        throw new GraftException(model.name() + " comes without weights: give a file with --weights"
                + (bundled.isEmpty() ? "" : ", take a model whose weights are in Graft ("
                + bundled.stream().collect(Collectors.joining(", ")) + ")")
                + ", or train from random weights with --strategy scratch");
    }
}
