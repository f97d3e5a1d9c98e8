package dev.graft.kernels.compile;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is compiled as one: the definitions of {@code common.cuh}, then macros that specialise, then a file of
 * {@code src/main/cuda} or generated text, which may include further files of that folder.
 *
 * @param name      the file's name, or what generated text is called in messages
 * @param defines   macros and their values
 * @param generated the text, or null for the file {@code name}
 */
public record KernelSource(String name, SortedMap<String, String> defines, String generated) {
    private static final String COMMON = "common.cuh";
    private static final Pattern INCLUDE = Pattern.compile("(?m)^#include \"([a-z_]+\\.cuh)\"$");
    private static final Map<String, String> FILES = new ConcurrentHashMap<>();

    public static KernelSource of(String file) {
        return new KernelSource(file, new TreeMap<>(), null);
    }

    public static KernelSource generated(String name, String text) {
        return new KernelSource(name, new TreeMap<>(), text);
    }

    /** The same with {@code #define macro value} in front of the file. */
    public KernelSource define(String macro, String value) {
        TreeMap<String, String> d = new TreeMap<>(defines);
        d.put(macro, value);
        return new KernelSource(name, d, generated);
    }

    public KernelSource define(String macro, int value) {
        return define(macro, Integer.toString(value));
    }

    /** All that the compiler reads. */
    String text() {
        StringBuilder s = new StringBuilder();
        s.append("#line 1 \"").append(COMMON).append("\"\n").append(file(COMMON)).append('\n');
        defines.forEach((k, v) -> s.append("#define ").append(k).append(' ').append(v).append('\n'));
        append(s, name, generated == null ? file(name) : generated);
        return s.toString();
    }

    /** The text with the files that it includes in their places: the compiler has no folder to look into. */
    private static void append(StringBuilder s, String name, String text) {
        s.append("#line 1 \"").append(name).append("\"\n");
        Matcher m = INCLUDE.matcher(text);
        int at = 0;
        long line = 1;
        while (m.find()) {
            s.append(text, at, m.start());
            append(s, m.group(1), file(m.group(1)));
            line += text.substring(at, m.start()).chars().filter(c -> c == '\n').count();
            s.append("\n#line ").append(line).append(" \"").append(name).append('"');
            at = m.end();
        }
        s.append(text, at, text.length());
    }

    /** The text of a file of {@code src/main/cuda}. */
    public static String file(String name) {
        return FILES.computeIfAbsent(name, n -> {
            try (InputStream in = KernelSource.class.getResourceAsStream("/dev/graft/kernels/cuda/" + n)) {
                if (in == null) {
                    throw new GraftException("kernel file " + n + " is not in graft-kernels: the jar is incomplete");
                }
                return new String(in.readAllBytes(), StandardCharsets.UTF_8);
            } catch (IOException e) {
                throw new GraftException("kernel file " + n + " cannot be read: " + e.getMessage(), e);
            }
        });
    }

    @Override
    public String toString() {
        return name + (defines.isEmpty() ? "" : " " + defines);
    }
}
