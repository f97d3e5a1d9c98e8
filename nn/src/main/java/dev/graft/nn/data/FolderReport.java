package dev.graft.nn.data;

import java.util.List;

/**
 * What {@link ImageFolder} found.
 *
 * @param trainCounts images per class; {@code validationCounts} and {@code testCounts} are null without such a part
 * @param broken files that are left out because they cannot be read
 * @param warnings sentences about anything else that is odd
 */
public record FolderReport(String path, List<String> classes, int[] trainCounts, int[] validationCounts, int[] testCounts,
        List<Broken> broken, List<String> warnings) {
    /** A file that is left out, by its path below the folder, and why. */
    public record Broken(String file, String reason) {
        @Override
        public String toString() {
            return reason;
        }
    }

    /** A table of classes and counts, then broken files and warnings, one a line. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(path).append('\n');
        int width = Math.max(5, classes.stream().mapToInt(String::length).max().orElse(0));
        text.append(String.format("  %-" + width + "s %8s%s%s%n", "class", "train",
                validationCounts == null ? "" : "      val", testCounts == null ? "" : "     test"));
        for (int c = 0; c < classes.size(); c++) {
            text.append(String.format("  %-" + width + "s %8d", classes.get(c), trainCounts[c]));
            for (int[] counts : new int[][] {validationCounts, testCounts}) {
                text.append(counts == null ? "" : String.format(" %8d", counts[c]));
            }
            text.append('\n');
        }
        for (Broken file : broken) {
            text.append("  left out: ").append(file.reason()).append('\n');
        }
        for (String warning : warnings) {
            text.append("  note: ").append(warning).append('\n');
        }
        return text.toString().stripTrailing();
    }
}
