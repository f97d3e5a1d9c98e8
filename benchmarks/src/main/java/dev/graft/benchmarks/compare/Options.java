package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Rows.Peer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;

/**
 * What {@code graft bench --peers} was asked for.
 *
 * @param only    which rows, by name
 * @param all     also shapes that the standard table leaves out
 * @param rounds  starts of each process
 * @param turns   how often it has its turn for each row
 * @param seconds timed per op, more per network
 * @param threads of every engine
 * @param avx2    whether no engine may use more than AVX2
 * @param minutes after which no further round is begun, nor a group of rows of one after the first
 * @param out     file to write, or null for the usual one
 */
record Options(List<Peer> peers, Pattern only, boolean all, int rounds, int turns, double seconds, int threads,
               boolean avx2, double minutes, String out) {
    static final String USAGE = """
            Compares Graft with other engines in turn, and prints peer's time / ours with its spread.
              ./graft bench --peers [--peer torch|djl|dl4j|onnxruntime]... [--only REGEX] [--rounds N]
                            [--turns K] [--seconds S] [--threads N] [--minutes M] [--avx2] [--quick] [--all]
                            [--list] [--out FILE]
              --peer     one or more; without it torch (libtorch, channels-last) and djl
              --only     rows whose name holds this regular expression, such as 'gemm' or 'conv3x3/64x56'
              --rounds   starts of each process, 3 by default
              --turns    how often the processes have their turn for each row, 3 by default
              --seconds  timed per row and turn, 0.1 by default, four times as long for networks
              --minutes  about how long it may take; of later rounds only what fits is done, the first is done whole
              --avx2     every engine limited to AVX2, for a table of its own (torch and djl only)
              --quick    one round of one turn
              --all      also the shapes that the standard table leaves out (batch 8 and 16 of all convolutions)
              --list     prints the names of the rows
            """;

    static Options parse(String... args) {
        List<Peer> peers = new ArrayList<>();
        String only = "";
        boolean all = false;
        int rounds = 3;
        int turns = 3;
        double seconds = 0.1;
        int threads = Runtime.getRuntime().availableProcessors();
        boolean avx2 = false;
        double minutes = Double.POSITIVE_INFINITY;
        String out = null;
        for (int i = 0; i < args.length; i++) {
            String a = args[i];
            switch (a) {
                case "--quick" -> {
                    rounds = 1;
                    turns = 1;
                }
                case "--all" -> all = true;
                case "--avx2" -> avx2 = true;
                case "--peer", "--only", "--rounds", "--turns", "--seconds", "--threads", "--minutes", "--out" -> {
                    if (++i == args.length) {
                        throw new IllegalArgumentException(a + " needs a value");
                    }
                    String v = args[i];
                    switch (a) {
                        case "--peer" -> peers.add(peer(v));
                        case "--only" -> only = v;
                        case "--rounds" -> rounds = (int) number(a, v, 1);
                        case "--turns" -> turns = (int) number(a, v, 1);
                        case "--seconds" -> seconds = number(a, v, 0.01);
                        case "--threads" -> threads = (int) number(a, v, 1);
                        case "--minutes" -> minutes = number(a, v, 0.1);
                        default -> out = v;
                    }
                }
                default -> throw new IllegalArgumentException("unknown argument " + a);
            }
        }
        for (Peer p : peers) {
            if (avx2 && p != Peer.TORCH && p != Peer.DJL) {
                throw new IllegalArgumentException("--avx2: " + p.name().toLowerCase(Locale.ROOT)
                        + " has no setting that limits all of its kernels, only torch and djl have");
            }
        }
        try {
            return new Options(peers.isEmpty() ? List.of(Peer.TORCH, Peer.DJL) : peers.stream().distinct().toList(),
                    Pattern.compile(only), all, rounds, turns, seconds, threads,
                    avx2, minutes, out);
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException("--only " + only + " is no regular expression: " + e.getDescription());
        }
    }

    private static Peer peer(String name) {
        try {
            return Peer.valueOf(name.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("there is no peer " + name + ", only " + Arrays.stream(Peer.values())
                    .map(p -> p.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", ")));
        }
    }

    private static double number(String option, String value, double least) {
        try {
            double v = Double.parseDouble(value);
            if (v >= least) {
                return v;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new IllegalArgumentException(option + " is " + value + ", a number from " + least + " on is needed");
    }
}
