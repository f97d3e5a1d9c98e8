package dev.graft.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The {@code graft} command: exit code 0 means done, 1 a failure told in one sentence, 2 wrong usage, 3 no such device. */
@Command(
        name = "graft",
        description = "Fine-tune pretrained networks.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        footerHeading = "%nMore about one command: graft COMMAND --help%n")
public final class Main implements Callable<Integer> {
    /** In the order of the help. */
    private static final List<Class<?>> COMMANDS = List.of(Demo.class, Finetune.class, Predict.class, Inspect.class,
            Models.class, Verify.class, Pretrain.class, Bench.class, Doctor.class);

    @Spec
    private CommandSpec spec;

    @Option(names = "--debug", scope = ScopeType.INHERIT, description = "Show the stack trace of a failure.")
    private boolean debug;

    public static void main(String[] args) {
        System.exit(run(args, new PrintWriter(System.out, true), new PrintWriter(System.err, true)));
    }

    /** Runs one command line and returns its exit code; results go to {@code out}, messages to {@code err}. */
    static int run(String[] args, PrintWriter out, PrintWriter err) {
        Main main = new Main();
        CommandLine line = commandLine(main, args).setOut(out).setErr(err);
        try {
            return line.execute(args);
        } catch (OutOfMemoryError | StackOverflowError e) {
            // picocli hands only exceptions to the handler.
            return Failure.report(e, main.debug, err);
        }
    }

    /**
     * The parser of {@code args}. It knows only the command that these name, when they name one: to read the annotations of
     * the others would take most of a short command's time.
     */
    static CommandLine commandLine(Main main, String... args) {
        String first = Arrays.stream(args).filter(a -> !a.startsWith("-")).findFirst().orElse("");
        List<Class<?>> named = COMMANDS.stream().filter(c -> name(c).equals(first)).toList();
        CommandLine line = new CommandLine(main);
        for (Class<?> c : named.isEmpty() ? COMMANDS : named) {
            line.addSubcommand(name(c), c);
        }
        return line
                .registerConverter(Path.class, Main::path)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpAutoWidth(true)
                .setParameterExceptionHandler(Failure::usage)
                .setExecutionExceptionHandler((e, command, parsed) -> Failure.report(e, main.debug, command.getErr()));
    }

    /** An empty name, such as a shell's variable that is not set, is the working folder to Java. */
    private static Path path(String text) {
        if (text.isEmpty()) {
            throw new TypeConversionException("the name is empty; the working folder is .");
        }
        return Path.of(text);
    }

    private static String name(Class<?> command) {
        return command.getSimpleName().toLowerCase(Locale.ROOT);
    }

    /** Without a command: the help, as an error, because nothing was done. */
    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return CommandLine.ExitCode.USAGE;
    }

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"graft " + (version == null ? "(development build)" : version)};
        }
    }
}
