package dev.graft.nn;

import com.fasterxml.jackson.annotation.JsonIgnore;
import dev.graft.tensor.GraftException;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;

/**
 * Picks parameters and modules by path. A value: printed in plans, saved in checkpoints, used for freezing, groups,
 * penalties and partial loading.
 *
 * <p>Patterns: {@code *} stands for any characters, dots included, {@code ?} for one; {@code features} also picks all
 * below it; {@code re:...} is a regular expression; a leading {@code !} takes away from what stands before it;
 * several patterns are joined by commas or given apart. The last pattern that matches a path decides.
 *
 * @param patterns in order
 */
public record ParamSelector(List<String> patterns) {
    public static final ParamSelector NONE = new ParamSelector(List.of());
    public static final ParamSelector ALL = of("*");

    public ParamSelector {
        patterns = List.copyOf(patterns);
        patterns.forEach(ParamSelector::compile);
    }

    public static ParamSelector of(String... patterns) {
        return new ParamSelector(Arrays.stream(patterns)
                .flatMap(p -> p.startsWith("re:") || p.startsWith("!re:") ? java.util.stream.Stream.of(p)
                        : Arrays.stream(p.split(",")))
                .map(String::strip).filter(p -> !p.isEmpty()).toList());
    }

    public boolean matches(String path) {
        boolean picked = false;
        for (String p : patterns) {
            boolean minus = p.startsWith("!");
            if (picked == minus && compile(p).matcher(path).matches()) {
                picked = !minus;
            }
        }
        return picked;
    }

    /** Whether a pattern, with or without {@code !}, could match some path below {@code path}, whatever there is now. */
    public boolean mayMatchBelow(String path) {
        return patterns.stream().anyMatch(p -> {
            Matcher m = compile(p).matcher(path + ".");
            return m.matches() || m.hitEnd();       // more of a path could follow
        });
    }

    @JsonIgnore
    public boolean isEmpty() {
        return patterns.isEmpty();
    }

    /** This selection and {@code more} after it. */
    public ParamSelector and(ParamSelector more) {
        return new ParamSelector(java.util.stream.Stream.concat(patterns.stream(), more.patterns.stream()).toList());
    }

    private static Pattern compile(String pattern) {
        String p = pattern.startsWith("!") ? pattern.substring(1) : pattern;
        if (p.startsWith("re:")) {
            try {
                return Pattern.compile(p.substring(3));
            } catch (PatternSyntaxException e) {
                throw new GraftException("pattern '" + pattern + "' is no regular expression: " + e.getDescription(), e);
            }
        }
        String regex = p.chars().mapToObj(c -> switch (c) {
            case '*' -> ".*";
            case '?' -> ".";
            default -> Pattern.quote(String.valueOf((char) c));
        }).collect(Collectors.joining());
        return Pattern.compile(regex + "(\\..*)?");
    }

    @Override
    public String toString() {
        return String.join(",", patterns);
    }
}
