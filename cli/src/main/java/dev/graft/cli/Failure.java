package dev.graft.cli;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what went wrong into one sentence for a person; the stack trace is for {@code --debug}. */
final class Failure {
    private Failure() {
    }

    /** Prints {@code problem} to {@code err}; returns exit code 1, or 3 when the wanted device is not there. */
    static int report(Throwable problem, boolean debug, PrintWriter err) {
        err.println("graft: " + sentence(problem));
        if (debug) {
            problem.printStackTrace(err);
        }
        err.flush();
        return problem instanceof Devices.NotThere ? Devices.NOT_THERE : CommandLine.ExitCode.SOFTWARE;
    }

    /** A command line that cannot be understood: what is wrong, what was perhaps meant, where help is; exit code 2. */
    static int usage(ParameterException problem, String[] args) {
        CommandLine command = problem.getCommandLine();
        PrintWriter err = command.getErr();
        boolean noSuchCommand = problem instanceof UnmatchedArgumentException unmatched && !unmatched.isUnknownOption()
                && !command.getSubcommands().isEmpty();
        err.println("graft: " + (noSuchCommand
                ? "there is no command '" + ((UnmatchedArgumentException) problem).getUnmatched().getFirst() + "'"
                : oneLine(problem.getMessage())));
        UnmatchedArgumentException.printSuggestions(problem, err);
        err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
        err.flush();
        return CommandLine.ExitCode.USAGE;
    }

    static String sentence(Throwable problem) {
        return switch (problem) {
            case OutOfMemoryError e -> "out of memory (" + e.getMessage() + "); use a smaller --batch, "
                    + "or give the JVM more, for example GRAFT_JAVA_OPTS=-Xmx8g";
            case StackOverflowError e -> "the input is nested too deeply";
            case UncheckedIOException e -> sentence(e.getCause());
            case NoSuchFileException e -> e.getFile() + " does not exist";
            case FileNotFoundException e -> "cannot open " + oneLine(e.getMessage());
            case AccessDeniedException e -> "no permission for " + e.getFile();
            case NotDirectoryException e -> e.getFile() + " is not a folder";
            case FileAlreadyExistsException e -> e.getFile() + " already exists";
            case FileSystemException e -> e.getFile() + ": "
                    + (e.getReason() == null ? "input/output error" : e.getReason());
            case IOException e -> e.getMessage() == null ? "input/output error" : oneLine(e.getMessage());
            default -> problem.getClass().getName().startsWith("dev.graft.") && problem.getMessage() != null
                    ? oneLine(problem.getMessage())
                    : "unexpected " + problem.getClass().getSimpleName()
                            + (problem.getMessage() == null ? "" : ": " + oneLine(problem.getMessage()))
                            + "; run again with --debug to see where, and please report it";
        };
    }

    private static String oneLine(String text) {
        return text == null ? "" : text.strip().replaceAll("\\s*\\R\\s*", "; ");
    }
}
