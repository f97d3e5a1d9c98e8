package dev.graft.pretrained;

import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.format.LoadReport;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A network with all that is needed to use it.
 *
 * @param card          of the architecture
 * @param network       its head has as many outputs as there are classes; closed by {@link #close}
 * @param options       the model's options, all of them
 * @param classes       the names of the outputs; their numbers where names are unknown
 * @param preprocessing what images go through
 * @param report        what was loaded; null when the weights are random
 * @param notes         what the user should know about these weights
 */
public record PretrainedModel(ModelCard card, StagedNetwork network, Map<String, String> options, List<String> classes,
                              Preprocessing preprocessing, LoadReport report, List<String> notes)
        implements AutoCloseable {
    public PretrainedModel {
        options = Map.copyOf(options);
        notes = List.copyOf(notes);
        classes = classes.isEmpty() ? numbers(network.classes()) : List.copyOf(classes);
        if (classes.size() != network.classes()) {
            throw new GraftException(card.name() + ": there are " + classes.size() + " names of classes but the network has "
                    + network.classes() + " outputs; give one name for each");
        }
    }

    private static List<String> numbers(int n) {
        return IntStream.range(0, n).mapToObj(Integer::toString).toList();
    }

    public String name() {
        return card.name();
    }

    /** Whether the head's weights came from the file, so that predictions mean something. */
    public boolean headLoaded() {
        String head = network.headPath() + ".";
        return report != null && report.loaded().stream().anyMatch(l -> l.target().startsWith(head))
                && report.missing().stream().noneMatch(m -> m.target().startsWith(head))
                && report.mismatched().stream().noneMatch(m -> m.target().startsWith(head));
    }

    /** The same network for other classes: its head is replaced by a random one, all other weights stay. */
    public PretrainedModel forClasses(List<String> names) {
        if (names.isEmpty()) {
            throw new GraftException(card.name() + ": a list of classes is empty, at least one class is needed");
        }
        network.replaceHead(names.size());
        return new PretrainedModel(card, network, options, names, preprocessing, report, notes);
    }

    /** With other names for the outputs, one each. */
    public PretrainedModel withLabels(List<String> names) {
        return new PretrainedModel(card, network, options, names, preprocessing, report, notes);
    }

    public PretrainedModel withPreprocessing(Preprocessing p) {
        return new PretrainedModel(card, network, options, classes, p, report, notes);
    }

    /** Moves the network to {@code device}, where it then trains and predicts. */
    public PretrainedModel to(Device device) {
        network.to(device);
        return this;
    }

    public ModelDescription description() {
        return new ModelDescription(card.name(), options, classes, preprocessing);
    }

    /** Writes the weights as they are now, as safetensors that {@link ModelZoo#open} and PyTorch read. */
    public void save(Path file) {
        save(file, DType.F32);
    }

    /** As {@link #save(Path)} with weights of another float type, such as float16. */
    public void save(Path file, DType dtype) {
        WeightSaver.save(file, network, description(), dtype);
    }

    /** Frees the network. */
    @Override
    public void close() {
        network.close();
    }

    /** Name, options, preprocessing and what was loaded, without the network's layers. */
    @Override
    public String toString() {
        return card.name() + (options.isEmpty() ? "" : " " + options) + ", " + network.classes() + " classes, "
                + preprocessing + (report == null ? ", random weights" : "\n" + report.summary())
                + (notes.isEmpty() ? "" : "\n" + String.join("\n", notes));
    }
}
