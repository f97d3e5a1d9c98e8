package dev.graft.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.pretrained.Classifier;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.Prediction;
import dev.graft.pretrained.PretrainedModel;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code graft predict}: what a network says of images. */
@Command(
        name = "predict",
        description = "Classify images with a network that 'graft finetune' trained, or with one of the zoo.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {"", "Images that cannot be read are named on standard error; the others go on, and the exit code is 1.",
            "", "Examples:", "  graft predict --run run1 photo.jpg",
            "  graft predict --model resnet18 --weights resnet18.pth --labels imagenet_classes.tsv --top 5 --json photos/"})
final class Predict implements Callable<Integer> {
    private static final Set<String> IMAGES = Set.of("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif");
    private static final int BATCH = 16;

    @Spec
    private CommandSpec spec;

    @Option(names = "--run", paramLabel = "DIR", description = "Folder of a fine-tuning run, or a model.safetensors of one.")
    private Path run;

    @Mixin
    private ModelArguments network;

    @Option(names = "--labels", paramLabel = "FILE",
            description = "Names of the classes: one a line, or tab-separated with the index in a column.")
    private Path labels;

    @Option(names = "--top", paramLabel = "K", defaultValue = "5", showDefaultValue = Visibility.ALWAYS,
            description = "How many classes to show, the most probable first.")
    private int top;

    @Option(names = "--json", description = "One JSON object per image and line.")
    private boolean json;

    @Mixin
    private Threads threads;

    @Option(names = "--quantize", paramLabel = "T", converter = StoredType.class,
            description = "Store the weights of linear layers as int8 or bfloat16: a quarter or half of their memory.")
    private DType quantize;

    @Mixin
    private Devices devices;

    @Mixin
    private Precisions precision;

    @Parameters(paramLabel = "IMAGE-OR-FOLDER", arity = "1..*", description = "Folders are searched with all below them.")
    private List<Path> inputs;

    private static final class StoredType implements ITypeConverter<DType> {
        @Override
        public DType convert(String text) {
            return switch (text) {
                case "int8" -> DType.I8;
                case "bfloat16", "bf16" -> DType.BF16;
                default -> throw new TypeConversionException("'" + text + "' is neither int8 nor bfloat16");
            };
        }
    }

    @Override
    public Integer call() throws IOException {
        if ((run == null) == (network.model == null)) {
            throw new ParameterException(spec.commandLine(), "give either --run DIR or --model NAME (with --weights FILE)");
        }
        if (top < 1) {
            throw new ParameterException(spec.commandLine(), "--top is " + top + ", it must be 1 or more");
        }
        threads.apply();
        Device device = devices.choose(spec.commandLine().getErr());
        List<Path> files = files();
        CompletableFuture<Decoded> next = decode(files, 0); // while the weights are read
        try (PretrainedModel model = run != null ? ModelZoo.open(run) : ModelArguments.load(network.choose(),
                network.weights)) {
            if (!model.headLoaded()) {
                throw new GraftException(network.weights + " has no weights for the classes of " + model.name()
                        + ": predictions would be random; fine-tune it first");
            }
            PretrainedModel named = labels == null ? model
                    : model.withLabels(Labels.read(labels, model.network().classes()));
            if (quantize != null) {
                model.network().freeze(ParamSelector.ALL);
                model.network().quantize(quantize);
            }
            model.to(device);
            Classifier classifier = Classifier.of(named, precision.chosen);
            int broken = 0;
            for (int i = 0; i < files.size(); i += BATCH) {
                Decoded images = await(next);
                next = decode(files, i + BATCH);
                broken += predict(classifier, images);
            }
            return broken > 0 ? 1 : 0;
        }
    }

    /** The images named, and those in folders, sorted. */
    private List<Path> files() throws IOException {
        List<Path> files = new ArrayList<>();
        for (Path p : inputs) {
            if (!Files.isDirectory(p)) {
                files.add(p);
                continue;
            }
            try (Stream<Path> below = Files.walk(p)) {
                List<Path> found = below.filter(f -> IMAGES.contains(extension(f)) && Files.isRegularFile(f)).sorted()
                        .toList();
                if (found.isEmpty()) {
                    throw new GraftException("folder " + p + " holds no JPEG, PNG, BMP or GIF images");
                }
                files.addAll(found);
            }
        }
        return files;
    }

    private static String extension(Path file) {
        String name = file.getFileName().toString();
        return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    }

    /** Images of a batch, null where {@code problems} says what was wrong with one. */
    private record Decoded(List<Path> files, RgbImage[] images, String[] problems) {}

    /** Decodes the batch that begins at {@code from}, if there is one, in the background. */
    private static CompletableFuture<Decoded> decode(List<Path> all, int from) {
        List<Path> files = all.subList(Math.min(from, all.size()), Math.min(all.size(), from + BATCH));
        return CompletableFuture.supplyAsync(() -> {
            RgbImage[] images = new RgbImage[files.size()];
            String[] problems = new String[files.size()];
            IntStream.range(0, images.length).parallel().forEach(i -> {
                try {
                    images[i] = ImageDecoder.DEFAULT.decode(files.get(i));
                } catch (GraftException e) {
                    problems[i] = e.getMessage();
                }
            });
            return new Decoded(files, images, problems);
        });
    }

    private static Decoded await(CompletableFuture<Decoded> images) {
        try {
            return images.join();
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                default -> throw e;
            }
        }
    }

    /** Prints a line for each image; returns how many could not be read. */
    private int predict(Classifier classifier, Decoded batch) throws IOException {
        List<Path> files = batch.files;
        RgbImage[] images = batch.images;
        String[] problems = batch.problems;
        List<RgbImage> good = Arrays.stream(images).filter(Objects::nonNull).toList();
        Iterator<List<Prediction>> found = classifier.predict(good, top).iterator();
        for (int i = 0; i < images.length; i++) {
            if (images[i] == null) {
                spec.commandLine().getErr().println("graft: " + TextTable.printable(problems[i]));
            } else {
                List<Prediction> best = found.next();
                spec.commandLine().getOut().println(json ? json(files.get(i), best) : text(files.get(i), best));
            }
        }
        spec.commandLine().getOut().flush();
        return images.length - good.size();
    }

    private String json(Path file, List<Prediction> best) throws IOException {
        List<Map<String, Object>> list = new ArrayList<>();
        for (Prediction p : best) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("index", p.index());
            one.put("class", p.name());
            one.put("probability", p.probability());
            list.add(one);
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("file", file.toString());
        line.put("top", list);
        return Json.MAPPER.writeValueAsString(line);
    }

    /** Made only when it is asked for. */
    private static final class Json {
        static final ObjectMapper MAPPER = new ObjectMapper();
    }

    private static String text(Path file, List<Prediction> best) {
        return TextTable.printable(file + ": " + best.stream().map(Prediction::toString).collect(Collectors.joining(", ")));
    }
}
