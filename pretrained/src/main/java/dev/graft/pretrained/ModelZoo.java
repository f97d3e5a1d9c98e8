package dev.graft.pretrained;

import dev.graft.nn.NearestNames;
import dev.graft.nn.data.image.CenterCrop;
import dev.graft.pretrained.format.WeightFile;
import dev.graft.pretrained.vision.CifarResNet;
import dev.graft.pretrained.vision.MobileNetV2;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.pretrained.vision.SqueezeNet;
import dev.graft.pretrained.vision.Vgg;
import dev.graft.tensor.GraftException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All models by name. Names, parameter names and counts are torchvision's; the CIFAR ResNets are those of akamaster's
 * pytorch_resnet_cifar10.
 *
 * <pre>{@code
 * try (PretrainedModel model = ModelZoo.find("resnet18").load(Path.of("resnet18-f37072fd.pth"))) {
 *     System.out.println(model.report());
 * }
 * }</pre>
 */
public final class ModelZoo {
    private static final Map<String, ZooModel> MODELS = new LinkedHashMap<>();

    private static final String RESNET = "He et al. 2015, Deep residual learning for image recognition, arXiv:1512.03385";
    private static final String VGG = "Simonyan and Zisserman 2014, Very deep convolutional networks, arXiv:1409.1556";
    private static final String MOBILE = "Sandler et al. 2018, MobileNetV2: inverted residuals, arXiv:1801.04381";
    private static final String SQUEEZE = "Iandola et al. 2016, SqueezeNet, arXiv:1602.07360";
    private static final String TORCHVISION = "torchvision's .pth files load as they are (BSD-3-Clause code, weights trained"
            + " on ImageNet-1k); weights of timm and Hugging Face with the same names do too";
    private static final String AKAMASTER = "akamaster/pytorch_resnet_cifar10 publishes weights (.th files, BSD-2-Clause)";
    private static final int IMAGENET_CLASSES = 1000;
    private static final List<String> CIFAR10 = List.of("airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
            "horse", "ship", "truck");

    static {
        resnet(18, 11_689_512, false, 2, 2, 2, 2);
        resnet(34, 21_797_672, false, 3, 4, 6, 3);
        resnet(50, 25_557_032, true, 3, 4, 6, 3);
        resnet(101, 44_549_160, true, 3, 4, 23, 3);
        resnet(152, 60_192_808, true, 3, 8, 36, 3);
        vgg(11, 132_863_336, 132_868_840, 1, 1, 2, 2, 2);
        vgg(13, 133_047_848, 133_053_736, 2, 2, 2, 2, 2);
        vgg(16, 138_357_544, 138_365_992, 2, 2, 3, 3, 3);
        vgg(19, 143_667_240, 143_678_248, 2, 2, 4, 4, 4);
        mobileNetV2();
        squeezeNet("squeezenet1_0", 1_248_424, false);
        squeezeNet("squeezenet1_1", 1_235_496, true);
        cifar(20, 269_722, new KnownWeights("resnet20-12fca82f.th", 1_099_231, 0xdaeef1bf,
                "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8", AKAMASTER, "BSD-2-Clause", Map.of(),
                Preprocessing.CIFAR));
        cifar(32, 464_154, new KnownWeights("resnet32-d509ac18.th", 1_890_043, 0x6430b7a5,
                "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850", AKAMASTER, "BSD-2-Clause", Map.of(),
                Preprocessing.CIFAR));
        cifar(44, 658_586);
        cifar(56, 853_018);
        bundled(cifarCard("graft_cifar", 20, 269_722, "trained by Graft itself on CIFAR-10; the weights come with Graft"),
                "graft_cifar.safetensors", (classes, options) -> new CifarResNet(20, classes));
    }

    private ModelZoo() {}

    /** The model named {@code name}. */
    public static ZooModel find(String name) {
        ZooModel m = MODELS.get(name);
        if (m == null) {
            throw new GraftException("there is no model '" + name + "': did you mean "
                    + String.join(", ", NearestNames.of(name, MODELS.keySet(), 3)) + "?");
        }
        return m;
    }

    /** All names, families together, small models first. */
    public static List<String> names() {
        return List.copyOf(MODELS.keySet());
    }

    public static List<ZooModel> all() {
        return List.copyOf(MODELS.values());
    }

    /**
     * Loads a file that {@link PretrainedModel#save} or {@link WeightSaver} wrote: it says itself which model it is.
     *
     * @param path the file, or a folder with {@code model.safetensors} in it, as a fine-tuning run leaves
     */
    public static PretrainedModel open(Path path) {
        Path file = Files.isDirectory(path) ? path.resolve("model.safetensors") : path;
        try (WeightFile weights = WeightFile.open(file)) {
            ModelDescription about = ModelDescription.from(weights.metadata(), file);
            return find(about.model()).load(weights, LoadOptions.STRICT);
        }
    }

    private static void add(ModelCard card, ZooModel.Architecture architecture) {
        MODELS.put(card.name(), new ZooModel(card, architecture, null));
    }

    /** A model whose weights come with Graft, as a resource of this package. */
    private static void bundled(ModelCard card, String resource, ZooModel.Architecture architecture) {
        MODELS.put(card.name(), new ZooModel(card, architecture, resource));
    }

    private static ModelCard imagenet(String name, String title, String paper, long parameters) {
        return new ModelCard(name, title, paper, parameters, IMAGENET_CLASSES, List.of(), Preprocessing.IMAGENET, List.of(),
                List.of(), TORCHVISION);
    }

    private static void resnet(int depth, long parameters, boolean bottleneck, int... blocks) {
        add(imagenet("resnet" + depth, "ResNet, " + depth + " layers" + (bottleneck ? ", stride on the 3x3" : ""), RESNET,
                parameters), (classes, options) -> new ResNet(bottleneck, classes, blocks));
    }

    private static void vgg(int depth, long parameters, long parametersBn, int... convs) {
        add(imagenet("vgg" + depth, "VGG, " + depth + " layers", VGG, parameters),
                (classes, options) -> new Vgg(false, classes, convs));
        add(imagenet("vgg" + depth + "_bn", "VGG, " + depth + " layers, batch norm", VGG, parametersBn),
                (classes, options) -> new Vgg(true, classes, convs));
    }

    private static void mobileNetV2() {
        ModelCard card = imagenet("mobilenet_v2", "MobileNetV2, width 1.0", MOBILE, 3_504_872)
                .withOptions(List.of(new ModelOption("padding", List.of("torch", "same"),
                        "zeros around convolutions with stride 2: both sides, or as TensorFlow's SAME, which weights from"
                                + " TensorFlow need")))
                .withWeights(new KnownWeights("mobilenet_v2_1.0_224.safetensors", 14_186_200, 0x838e2baa,
                        "634cd5f458e7a553b925e3ef6884beeb8eec7ffe5e958b2736affa1b2e8d3acb",
                        "TensorFlow's mobilenet_v2_1.0_224_quant.tflite, dequantised", "Apache-2.0",
                        Map.of("padding", "same"), Preprocessing.IMAGENET.with("tf").with(CenterCrop.Tie.UP)));
        add(card, (classes, options) -> new MobileNetV2(classes, options.get("padding").equals("same")));
    }

    private static void squeezeNet(String name, long parameters, boolean v11) {
        ModelCard card = imagenet(name, "SqueezeNet " + name.substring(10).replace('_', '.'), SQUEEZE, parameters);
        if (v11) {
            card = card.withWeights(new KnownWeights("squeezenet1_1_features.safetensors", 2_894_808, 0x983c1563,
                    "2c351924644ec2b9949eeabb8e6f929f49b123507c8e6fd8d9332042ea39d049",
                    "rcmalli/keras-squeezenet, without the classifier", "MIT", Map.of(),
                    Preprocessing.IMAGENET));
        }
        add(card, (classes, options) -> new SqueezeNet(v11, classes));
    }

    private static void cifar(int depth, long parameters, KnownWeights... weights) {
        add(cifarCard("resnet" + depth + "_cifar", depth, parameters, AKAMASTER).withWeights(weights),
                (classes, options) -> new CifarResNet(depth, classes));
    }

    private static ModelCard cifarCard(String name, int depth, long parameters, String notes) {
        return new ModelCard(name, "ResNet for 32 x 32 pixels, " + depth + " layers, shortcuts without parameters",
                RESNET + ", section 4.2", parameters, CIFAR10.size(), CIFAR10, Preprocessing.CIFAR, List.of(), List.of(),
                notes);
    }
}
