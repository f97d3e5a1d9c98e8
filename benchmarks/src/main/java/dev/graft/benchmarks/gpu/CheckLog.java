package dev.graft.benchmarks.gpu;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;

/** Says of every step whether it went well, and keeps what was said. */
final class CheckLog {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ObjectNode root = JSON.createObjectNode();
    private final ArrayNode steps = root.putArray("steps");
    private final ArrayNode results = root.putArray("results");
    private int failed;

    /** One step; what it returns is printed behind its name. */
    interface Step {
        String run() throws Exception;
    }

    void step(String name, Step s) {
        long start = System.nanoTime();
        String state = "ok";
        String text;
        try {
            text = s.run();
        } catch (Exception | LinkageError | OutOfMemoryError | AssertionError e) {
            state = "FAILED";
            failed++;
            text = e.getMessage() == null ? e.toString() : e.getMessage();
            if (Boolean.getBoolean("graft.trace")) {
                e.printStackTrace();
            }
        }
        record(state, name, text, (System.nanoTime() - start) / 1e9);
    }

    private void record(String state, String name, String text, double seconds) {
        System.out.printf(Locale.ROOT, "%-6s %-42s %s%n", state, name, text);
        steps.addObject().put("name", name).put("state", state).put("text", text).put("seconds", seconds);
    }

    /** A measured case, under the name that the other side uses. */
    ObjectNode result(String name, double seconds) {
        return results.addObject().put("name", name).put("seconds", seconds);
    }

    ObjectNode root() {
        return root;
    }

    int failed() {
        return failed;
    }

    static void expect(boolean ok, String otherwise) {
        if (!ok) {
            throw new AssertionError(otherwise);
        }
    }
}
