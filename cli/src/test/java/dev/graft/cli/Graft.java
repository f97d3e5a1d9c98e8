package dev.graft.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;

/** One command line run inside the test: its exit code and what it printed. */
record Graft(int code, String out, String err) {
    static Graft run(Object... words) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(Arrays.stream(words).map(Object::toString).toArray(String[]::new),
                new PrintWriter(out, true), new PrintWriter(err, true));
        return new Graft(code, out.toString(), err.toString());
    }
}
