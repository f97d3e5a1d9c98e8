package dev.graft.cli;

import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.Verification;
import dev.graft.pretrained.ZooModel;
import dev.graft.tensor.Device;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code graft verify}: whether a network computes here what it should. */
@Command(
        name = "verify",
        description = {"Compare a network's outputs on this machine with recorded ones,",
            "or with those of the reference backend where none are recorded. Exit code 1 when they differ."},
        mixinStandardHelpOptions = true)
final class Verify implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = "Network; 'graft models' lists them.")
    private String model;

    @Option(names = "--weights", paramLabel = "FILE", description = "Not needed for models whose weights are in Graft.")
    private Path weights;

    @Option(names = "--model-option", paramLabel = "KEY=VALUE", description = "For example padding=same. Repeatable.")
    private final Map<String, String> options = new LinkedHashMap<>();

    @Mixin
    private Threads threads;

    @Mixin
    private Devices devices;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        threads.apply();
        Device device = devices.choose(out);
        ZooModel m = ModelZoo.find(model).options(options);
        Verification v = weights == null ? m.verify(device) : m.verify(weights, device);
        out.println(v);
        out.flush();
        return v.passed() ? 0 : 1;
    }
}
