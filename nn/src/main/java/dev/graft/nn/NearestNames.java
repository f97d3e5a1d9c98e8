package dev.graft.nn;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** The names most like a mistyped one, for messages. */
public final class NearestNames {
    private NearestNames() {}

    /** Up to {@code count} of {@code names}, by edit distance to {@code wanted} without case; nearest first. */
    public static List<String> of(String wanted, Collection<String> names, int count) {
        record Scored(String name, int distance) {}
        String w = wanted.toLowerCase(Locale.ROOT);
        return names.stream().map(n -> new Scored(n, distance(w, n.toLowerCase(Locale.ROOT))))
                .sorted(Comparator.comparingInt(Scored::distance)).limit(count).map(Scored::name).toList();
    }

    /** Parameter paths and the module paths above them, nearest to the pattern without its wildcards. */
    public static List<String> ofPattern(String pattern, Collection<String> paths, int count) {
        Set<String> all = new LinkedHashSet<>();
        for (String p : paths) {
            for (int dot = p.indexOf('.'); dot >= 0; dot = p.indexOf('.', dot + 1)) {
                all.add(p.substring(0, dot));
            }
            all.add(p);
        }
        String plain = pattern.replaceAll("^!?(re:)?", "").replaceAll("[*?\\\\^$]", "").replaceAll("\\.$", "");
        return of(plain, new ArrayList<>(all), count);
    }

    /** Levenshtein distance. */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
