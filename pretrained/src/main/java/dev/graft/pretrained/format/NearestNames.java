package dev.graft.pretrained.format;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * Names that a reader may have meant: small edit distance (Levenshtein 1966), for messages and reports. Names come from
 * files, so their length and number are bounded here.
 */
final class NearestNames {
    private static final int MAX_LENGTH = 200;
    private static final int MAX_NAMES = 5000;

    private NearestNames() {
    }

    private record Near(String name, int distance) {
    }

    /** At most {@code count} of {@code names}, nearest first, within as many edits as a third of {@code wanted}'s length. */
    static List<String> of(String wanted, Collection<String> names, int count) {
        int limit = Math.max(2, wanted.length() / 3);
        List<Near> near = new ArrayList<>();
        int looked = 0;
        for (String name : names) {
            if (++looked > MAX_NAMES) {
                break;
            }
            int d = distance(wanted, name, limit);
            if (d <= limit) {
                near.add(new Near(name, d));
            }
        }
        near.sort(Comparator.comparingInt(Near::distance));
        return near.stream().limit(count).map(Near::name).toList();
    }

    /** Insertions, deletions and replacements from {@code a} to {@code b}; anything above {@code limit} when more. */
    static int distance(String a, String b, int limit) {
        if (Math.abs(a.length() - b.length()) > limit || Math.max(a.length(), b.length()) > MAX_LENGTH) {
            return limit + 1;
        }
        int[] previous = new int[b.length() + 1];
        int[] row = new int[b.length() + 1];
        for (int j = 0; j < previous.length; j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            row[0] = i;
            int best = i;
            for (int j = 1; j < row.length; j++) {
                int replace = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replace, Math.min(previous[j], row[j - 1]) + 1);
                best = Math.min(best, row[j]);
            }
            if (best > limit) {
                return limit + 1;
            }
            int[] swap = previous;
            previous = row;
            row = swap;
        }
        return previous[b.length()];
    }
}
