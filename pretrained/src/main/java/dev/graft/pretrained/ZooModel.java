package dev.graft.pretrained;

import dev.graft.nn.NearestNames;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.format.LoadReport;
import dev.graft.pretrained.format.WeightFile;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A model of the zoo, with the options chosen so far; an immutable value.
 *
 * <pre>{@code
 * PretrainedModel m = ModelZoo.find("mobilenet_v2").option("padding", "same").preprocess("tf").load(file);
 * }</pre>
 */
public final class ZooModel {
    /** A file of a few bytes can claim any number by one value for all; real classifiers have far fewer. */
    private static final int MAX_CLASSES = 1 << 20;

    /** Makes a network with that many classes; all options are given. */
    interface Architecture {
        StagedNetwork build(int classes, Map<String, String> options);
    }

    private final ModelCard card;
    private final Architecture architecture;
    private final String bundled;
    private final Map<String, String> chosen;
    private final String preprocess;

    ZooModel(ModelCard card, Architecture architecture, String bundled) {
        this(card, architecture, bundled, Map.of(), null);
    }

    private ZooModel(ModelCard card, Architecture architecture, String bundled, Map<String, String> chosen,
                     String preprocess) {
        this.card = card;
        this.architecture = architecture;
        this.bundled = bundled;
        this.chosen = chosen;
        this.preprocess = preprocess;
    }

    public String name() {
        return card.name();
    }

    public ModelCard card() {
        return card;
    }

    /** Whether weights come with Graft, so that {@link #load()} needs no file. */
    public boolean hasBundledWeights() {
        return bundled != null;
    }

    /** With a value for one of the card's options. */
    public ZooModel option(String name, String value) {
        ModelOption option = card.options().stream().filter(o -> o.name().equals(name)).findFirst()
                .orElseThrow(() -> new GraftException(card.name() + " has no option '" + name + "': "
                        + (card.options().isEmpty() ? "it takes none"
                        : "it takes " + card.options().stream().map(ModelOption::name).toList())));
        if (!option.values().contains(value)) {
            throw new GraftException(card.name() + " option " + name + "=" + value + " is not known: use "
                    + name + "=" + NearestNames.of(value, option.values(), 1).getFirst() + " (it takes "
                    + String.join(" or ", option.values()) + ")");
        }
        Map<String, String> all = new LinkedHashMap<>(chosen);
        all.put(name, value);
        return new ZooModel(card, architecture, bundled, Map.copyOf(all), preprocess);
    }

    /** With values for some of the card's options. */
    public ZooModel options(Map<String, String> values) {
        ZooModel m = this;
        for (Map.Entry<String, String> e : values.entrySet()) {
            m = m.option(e.getKey(), e.getValue());
        }
        return m;
    }

    /** With another normalisation than the card's: {@code torch} or {@code tf}, see {@link Preprocessing#with(String)}. */
    public ZooModel preprocess(String name) {
        card.preprocessing().with(name);
        return new ZooModel(card, architecture, bundled, chosen, name);
    }

    /** A network with the card's classes and random weights, none of which is made before it is used. */
    public StagedNetwork create() {
        return create(card.classes());
    }

    /** As {@link #create()} with {@code classes} outputs. */
    public StagedNetwork create(int classes) {
        return build(classes, chosen);
    }

    /** As {@link #create(int)} with some options; others keep their defaults. */
    public StagedNetwork create(int classes, Map<String, String> values) {
        return options(values).create(classes);
    }

    private StagedNetwork build(int classes, Map<String, String> options) {
        if (classes < 1) {
            throw new GraftException(card.name() + ": " + classes + " classes, at least 1 is needed");
        }
        return architecture.build(classes, complete(options));
    }

    private Map<String, String> complete(Map<String, String> options) {
        Map<String, String> all = new LinkedHashMap<>();
        card.options().forEach(o -> all.put(o.name(), options.getOrDefault(o.name(), o.standard())));
        return all;
    }

    /** Random weights and these classes: training from scratch. */
    public PretrainedModel random(List<String> classes) {
        Preprocessing p = preprocess == null ? card.preprocessing() : card.preprocessing().with(preprocess);
        return new PretrainedModel(card, create(classes.size()), complete(chosen), classes, p, null, List.of());
    }

    /**
     * Loads weights that come with Graft.
     *
     * @throws GraftException when this model has none
     */
    public PretrainedModel load() {
        return withBundled(copy -> load(copy, LoadOptions.STRICT));
    }

    /** Weight files are read by path: the resource becomes one for a moment. */
    private <T> T withBundled(Function<Path, T> use) {
        if (bundled == null) {
            throw new GraftException(card.name() + " needs a file of weights: " + card.notes());
        }
        Path copy = null;
        try (InputStream in = ZooModel.class.getResourceAsStream(bundled)) {
            if (in == null) {
                throw new GraftException(card.name() + ": its weights (" + bundled + ") are not in this build of Graft;"
                        + " use a complete graft-pretrained jar, or give a file of weights");
            }
            copy = Files.createTempFile("graft-", ".safetensors");
            Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            return use.apply(copy);
        } catch (IOException e) {
            throw new GraftException(card.name() + ": its weights cannot be copied to the temporary folder ("
                    + e.getMessage() + "); set java.io.tmpdir to one that can be written", e);
        } finally {
            delete(copy);
        }
    }

    /** Compares what {@code weights} give here, on the CPU, with what they should give. */
    public Verification verify(Path weights) {
        return verify(weights, Device.CPU);
    }

    /** As {@link #verify(Path)} on {@code device}. */
    public Verification verify(Path weights, Device device) {
        return verify(weights, weights.getFileName().toString(), device);
    }

    /** As {@link #verify(Path)} with the weights that come with Graft. */
    public Verification verify() {
        return verify(Device.CPU);
    }

    /** As {@link #verify(Path, Device)} with the weights that come with Graft. */
    public Verification verify(Device device) {
        return withBundled(copy -> verify(copy, bundled, device));
    }

    private Verification verify(Path weights, String name, Device device) {
        try (PretrainedModel model = load(weights)) {
            model.network().to(device);
            return Verification.of(model, name, KnownWeights.sha256(weights));
        }
    }

    private static void delete(Path copy) {
        try {
            if (copy != null) {
                Files.deleteIfExists(copy);
            }
        } catch (IOException e) {
            copy.toFile().deleteOnExit();
        }
    }

    /** Loads {@code file}; its head may be missing, see {@link PretrainedModel#headLoaded}. */
    public PretrainedModel load(Path file) {
        return load(file, LoadOptions.EXCEPT_HEAD);
    }

    /**
     * Loads {@code file} into a network with as many classes as the file's head has. Options and preprocessing are, in this
     * order, those chosen, those the file itself names, those that recognised weights were made for, the card's.
     */
    public PretrainedModel load(Path file, LoadOptions how) {
        try (WeightFile weights = WeightFile.open(file)) {
            return load(weights, how);
        }
    }

    PretrainedModel load(WeightFile weights, LoadOptions how) {
        Optional<KnownWeights> known = card.recognise(weights.path());
        List<String> notes = new ArrayList<>();
        Map<String, String> options = new LinkedHashMap<>();
        Preprocessing p = card.preprocessing();
        List<String> classes = List.of();
        if (known.isPresent()) {
            options.putAll(known.get().options());
            p = known.get().preprocessing();
        }
        ModelDescription own = ModelDescription.isIn(weights.metadata())
                ? ModelDescription.from(weights.metadata(), weights.path()) : null;
        if (own != null && own.model().equals(card.name())) {
            options.putAll(new ZooModel(card, architecture, bundled).options(own.options()).chosen);
            p = own.preprocessing();
            classes = own.classes();
        }
        options.putAll(chosen);
        p = preprocess == null ? p : p.with(preprocess);
        known.ifPresent(k -> notes.add(note(k)));
        int outputs = outputs(weights);
        StagedNetwork network = build(outputs, options);
        try {
            LoadReport report = WeightLoader.load(network, card.name(), weights, how);
            if (classes.size() != outputs) {
                classes = outputs == card.classNames().size() ? card.classNames() : List.of();
            }
            return new PretrainedModel(card, network, complete(options), classes, p, report, notes);
        } catch (RuntimeException e) {
            network.close();
            throw e;
        }
    }

    private static String note(KnownWeights k) {
        return "recognised " + k.file() + " (" + k.licence() + "): made for " + k.preprocessing()
                + (k.options().isEmpty() ? "" : " and " + k.options().entrySet().stream()
                .map(e -> e.getKey() + "=" + e.getValue()).sorted().collect(Collectors.joining(", ")))
                + ", which holds unless others are chosen";
    }

    private String headPath() {
        try (StagedNetwork network = create()) {
            return network.headPath();
        }
    }

    /** Outputs of the file's head; the card's where the file has no head. */
    private int outputs(WeightFile weights) {
        String bias = headPath() + ".bias";
        // The shortest name: others, such as an auxiliary head's or an optimizer's, carry more in front.
        int outputs = weights.entries().stream().filter(e -> e.name().equals(bias) || e.name().endsWith("." + bias))
                .filter(e -> e.shape().rank() == 1 && e.shape().dim(0) > 0)
                .min(Comparator.comparingInt(e -> e.name().length())).map(e -> e.shape().dim(0)).orElse(card.classes());
        if (outputs > MAX_CLASSES) {
            throw new GraftException(weights.path() + ": its head '" + bias + "' has " + outputs + " outputs, more than the "
                    + MAX_CLASSES + " that are taken for classes: check the file");
        }
        return outputs;
    }

    /** The model's name. */
    @Override
    public String toString() {
        return card.name() + (chosen.isEmpty() ? "" : " " + chosen);
    }
}
