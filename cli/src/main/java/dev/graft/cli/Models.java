package dev.graft.cli;

import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.ZooModel;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code graft models}: the networks that can be named. */
@Command(
        name = "models",
        description = "List the networks, or show what is known about one.",
        mixinStandardHelpOptions = true)
final class Models implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "NAME", arity = "0..1", description = "Show this network's card.")
    private String name;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (name != null) {
            out.println(ModelZoo.find(name).card());
        } else {
            TextTable table = new TextTable("name", "> parameters", "input", "> classes", "weights in Graft", "options");
            for (ZooModel m : ModelZoo.all()) {
                int size = m.card().inputSize();
                table.row(m.name(), String.format(Locale.ROOT, "%,d", m.card().parameters()), size + " x " + size,
                        Integer.toString(m.card().classes()), m.hasBundledWeights() ? "yes" : "no",
                        String.join(", ", m.card().options().stream().map(o -> o.name() + "=" + String.join("|", o.values()))
                                .toList()));
            }
            table.print(out);
        }
        out.flush();
        return 0;
    }
}
