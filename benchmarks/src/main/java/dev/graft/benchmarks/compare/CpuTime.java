package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.StolenTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Seconds of processor time: of all on the machine, of this process with the children it has waited for, and stolen. */
record CpuTime(double all, double own, double stolen) {
    private static final double TICK = 0.01;

    static CpuTime now() throws IOException {
        Path stat = Path.of("/proc/stat");
        if (!Files.isReadable(stat)) {
            return new CpuTime(0, 0, 0);
        }
        String[] f = Files.readAllLines(stat).getFirst().trim().split("\\s+");
        double busy = 0;
        for (int i : new int[] {1, 2, 3, 6, 7}) {       // user, nice, system, irq, softirq
            busy += Double.parseDouble(f[i]);
        }
        String self = Files.readString(Path.of("/proc/self/stat"));
        String[] s = self.substring(self.lastIndexOf(')') + 2).split(" ");
        double own = 0;
        for (int i = 11; i <= 14; i++) {                // utime, stime, cutime, cstime
            own += Double.parseDouble(s[i]);
        }
        return new CpuTime(busy * TICK, own * TICK, StolenTime.now().seconds());
    }

    /** What others used since {@code before}. */
    double foreignSince(CpuTime before) {
        return Math.max(0, all - before.all - (own - before.own));
    }
}
