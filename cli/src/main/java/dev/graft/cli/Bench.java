package dev.graft.cli;

import dev.graft.tensor.GraftException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code graft bench} is run by the launcher, which builds the benchmarks; this is its place in the help. */
@Command(
        name = "bench",
        description = "Measure the engine's speed, also against other engines (--peers). In a checkout of the sources only.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {"", "./graft bench --help and ./graft bench --peers --help show the options."})
final class Bench implements Callable<Integer> {
    @Parameters(arity = "0..*", hidden = true)
    private List<String> ignored;

    @Override
    public Integer call() {
        throw new GraftException("bench runs in a checkout of Graft's sources only, by its launcher: ./graft bench");
    }
}
