package dev.graft.cli;

import dev.graft.tensor.backend.BackendProvider;
import java.io.PrintWriter;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code graft doctor}: what Graft can compute with on this machine. */
@Command(
        name = "doctor",
        description = {"Show what Graft can compute with on this machine: processor, memory, GPUs and their libraries,",
            "what is missing or does not fit, and the fix."},
        mixinStandardHelpOptions = true)
final class Doctor implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Map<String, String> rows = Environment.rows();
        int width = rows.keySet().stream().mapToInt(String::length).max().orElse(0);
        rows.forEach((name, value) ->
                out.println(name + " ".repeat(width - name.length()) + "  " + TextTable.printable(value)));
        for (BackendProvider provider : ServiceLoader.load(BackendProvider.class)) {
            out.println();
            provider.diagnosis().lines().map(TextTable::printable).forEach(out::println);
        }
        out.flush();
        return 0;
    }
}
