package dev.graft.pretrained;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What there is to know about a model before it is loaded.
 *
 * @param name          torchvision's, such as {@code resnet18}
 * @param title         the architecture in words
 * @param paper         who described it, and where
 * @param parameters    learnable values with {@code classes} classes
 * @param classes       outputs of the published weights
 * @param classNames    their names where they are common knowledge, otherwise empty
 * @param preprocessing what its images go through
 * @param options       choices it leaves open
 * @param weights       files that are recognised
 * @param notes         where weights come from, and what to mind
 */
public record ModelCard(String name, String title, String paper, long parameters, int classes, List<String> classNames,
                        Preprocessing preprocessing, List<ModelOption> options, List<KnownWeights> weights,
                        String notes) {
    public ModelCard {
        classNames = List.copyOf(classNames);
        options = List.copyOf(options);
        weights = List.copyOf(weights);
    }

    /** Height and width of the network's input in pixels. */
    public int inputSize() {
        return preprocessing.crop();
    }

    /** The recognised file that {@code path} is. */
    public Optional<KnownWeights> recognise(Path path) {
        return Files.isRegularFile(path) ? weights.stream().filter(w -> w.matches(path)).findFirst() : Optional.empty();
    }

    ModelCard withOptions(List<ModelOption> o) {
        return new ModelCard(name, title, paper, parameters, classes, classNames, preprocessing, o, weights, notes);
    }

    ModelCard withWeights(KnownWeights... w) {
        return new ModelCard(name, title, paper, parameters, classes, classNames, preprocessing, options, List.of(w), notes);
    }

    /** The card as lines of text. */
    @Override
    public String toString() {
        StringBuilder s = new StringBuilder(name).append(": ").append(title)
                .append("\n  paper       ").append(paper)
                .append("\n  parameters  ").append(String.format(Locale.ROOT, "%,d", parameters))
                .append("\n  classes     ").append(classes)
                .append("\n  images      ").append(preprocessing);
        for (ModelOption o : options) {
            s.append("\n  option      ").append(o.name()).append('=').append(String.join("|", o.values())).append(": ")
                    .append(o.meaning());
        }
        for (KnownWeights w : weights) {
            s.append("\n  weights     ").append(w.file()).append(" (").append(w.licence()).append("), ").append(w.source());
        }
        return s.append("\n  notes       ").append(notes).toString();
    }
}
