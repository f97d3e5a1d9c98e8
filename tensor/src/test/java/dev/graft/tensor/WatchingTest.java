package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.graft.tensor.Profiler.Times.Row;
import dev.graft.tensor.op.Update;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The interceptors that look on: the profiler and the NaN guard. */
class WatchingTest {
    @TempDir
    Path dir;

    private static Context in(String path, Interceptor i) {
        return Context.current().with(i).withPath(path);
    }

    @Test
    void theProfilerCountsOpsAndModules() {
        Profiler p = new Profiler();
        Tensor x = Tensor.uniform(-1, 1, 200, 200);
        for (int i = 0; i < 3; i++) {
            in("body", p).run(() -> x.matmul(x).relu());
        }
        in("head", p).run(() -> Dispatcher.update(new Update.Axpby(0.5, 0), x, x));
        in("head", p).run(() -> x.reshape(40000));
        assertThat(p.byOp().rows()).extracting(Row::name).containsExactlyInAnyOrder("matmul", "relu", "axpby");
        assertThat(p.byOp().rows()).filteredOn(r -> r.name().equals("matmul")).singleElement()
                .satisfies(r -> assertThat(r.calls()).isEqualTo(3));
        assertThat(p.byModule().rows()).extracting(Row::name).containsExactlyInAnyOrder("body", "head");
        assertThat(p.byModule().micros()).isPositive().isCloseTo(p.byOp().micros(), withPercentage(0.1));
        assertThat(p.byOp().rows().stream().mapToDouble(Profiler.Times.Row::share).sum())
                .isCloseTo(1, within(1e-9));
    }

    @Test
    void theTableIsSortedAndSumsUpTheRest() {
        Profiler.Times t = new Profiler.Times("op", List.of(new Row("conv2d", 10, 9000, 0.9),
                new Row("relu", 4, 600, 0.06), new Row("add", 2, 400, 0.04)));
        assertThat(t.table(1).lines()).hasSize(3);
        assertThat(t.table(1).lines().toList().get(1)).matches("conv2d +10 +9\\.0 +900\\.0 +90\\.0 %");
        assertThat(t.table(1).lines().toList().get(2)).matches("2 more +6 +1\\.0 +10\\.0 %");
        assertThat(t.table(3).lines()).hasSize(4);
    }

    private static void pause(int millis) {
        long end = System.nanoTime() + millis * 1_000_000L;
        while (System.nanoTime() < end) {
            LockSupport.parkNanos(end - System.nanoTime());
        }
    }

    @Test
    void waitingForDataIsARowWithoutTheOpsThatMakeTheData() throws Exception {
        Profiler p = new Profiler();
        Tensor x = Tensor.uniform(-1, 1, 20, 20);
        for (int i = 0; i < 3; i++) {
            in("body", p).run(() -> Dispatcher.waiting(Device.CPU, () -> {
                pause(2);
                Tensor y = x.relu();
                pause(2);
                return Dispatcher.waiting(Device.CPU, () -> y);
            }).add(1));
        }
        assertThat(p.byOp().rows()).extracting(Row::name).containsExactlyInAnyOrder(Profiler.WAIT, "relu", "add");
        assertThat(p.byOp().rows()).allMatch(r -> r.calls() == 3);
        assertThat(p.byOp().rows()).filteredOn(r -> r.name().equals(Profiler.WAIT)).singleElement()
                .satisfies(r -> assertThat(r.micros()).isGreaterThanOrEqualTo(3 * 4000 * 0.999));
        assertThat(p.byModule().rows()).extracting(Row::name).containsExactlyInAnyOrder(Profiler.WAIT, "body");
        Path file = dir.resolve("trace.json");
        p.writeTrace(file);
        List<String> events = Files.readString(file).lines().filter(l -> l.contains("\"ph\": \"X\"")).toList();
        assertThat(events).extracting(l -> l.replaceAll(".*\"name\": \"([^\"]+)\".*", "$1"))
                .startsWith(Profiler.WAIT, "relu", Profiler.WAIT, "add", Profiler.WAIT).hasSize(3 * 4);
        assertInTurn(events);
    }

    private static void assertInTurn(List<String> events) {
        double end = 0;
        for (String l : events) {
            double ts = Double.parseDouble(l.replaceAll(".*\"ts\": ([0-9.]+),.*", "$1"));
            assertThat(ts).as("no event begins before the one before it has ended").isGreaterThanOrEqualTo(end - 0.01);
            end = ts + Double.parseDouble(l.replaceAll(".*\"dur\": ([0-9.]+),.*", "$1"));
        }
    }

    @Test
    void aWaitThatFailsHasEnded() {
        Profiler p = new Profiler();
        Tensor x = Tensor.uniform(-1, 1, 20, 20);
        Context c = in("body", p);
        assertThatThrownBy(() -> c.run(() -> Dispatcher.waiting(Device.CPU, () -> {
            throw new IllegalStateException("no data");
        }))).hasMessage("no data");
        c.run(() -> x.relu());
        c.run(() -> Dispatcher.waiting(Device.CPU, () -> x));
        assertThat(p.byOp().rows()).extracting(r -> r.name() + " " + r.calls())
                .containsExactlyInAnyOrder(Profiler.WAIT + " 2", "relu 1");
    }

    @Test
    void anOpThatFailsInAWaitLeavesTheTimeBeforeItCountedOnce() throws Exception {
        Profiler p = new Profiler();
        Tensor x = Tensor.uniform(-1, 1, 20, 20);
        Tensor other = Tensor.ones(3, 3);
        Context c = in("body", p);
        assertThatThrownBy(() -> c.run(() -> Dispatcher.waiting(Device.CPU, () -> {
            pause(2);
            return x.matmul(other);
        }))).hasMessageContaining("matmul");
        c.run(() -> x.relu());
        assertThat(p.byOp().rows()).extracting(r -> r.name() + " " + r.calls())
                .containsExactlyInAnyOrder(Profiler.WAIT + " 1", "relu 1");
        Path file = dir.resolve("trace.json");
        p.writeTrace(file);
        assertInTurn(Files.readString(file).lines().filter(l -> l.contains("\"ph\": \"X\"")).toList());
    }

    @Test
    void theTableShowsWaitingAlsoWhereItIsShort() {
        Profiler.Times t = new Profiler.Times("op", List.of(new Row("conv2d", 10, 9000, 0.9),
                new Row("relu", 4, 600, 0.06), new Row(Profiler.WAIT, 2, 400, 0.04)));
        assertThat(t.table(1).lines().skip(1)).satisfiesExactly(l -> assertThat(l).startsWith("conv2d "),
                l -> assertThat(l).matches("wait for data +2 +0\\.4 +200\\.0 +4\\.0 %"),
                l -> assertThat(l).matches("1 more +4 +0\\.6 +6\\.0 %"));
        assertThat(t.table(2).lines()).hasSize(4);
        assertThat(t.table(3).lines()).hasSize(4);
    }

    @Test
    void theTraceHasAnEventForEveryOp() throws Exception {
        Profiler p = new Profiler();
        Tensor x = Tensor.uniform(-1, 1, 20, 20);
        for (int i = 0; i < 700; i++) {          // more than are left unmeasured at once
            in("a\"b", p).run(() -> x.add(1).close());
        }
        Path file = dir.resolve("trace.json");
        p.writeTrace(file);
        String json = Files.readString(file);
        assertThat(json.lines().filter(l -> l.contains("\"ph\": \"X\""))).hasSize(700)
                .allMatch(l -> l.contains("\"name\": \"add\"") && l.contains("\"module\": \"a\\\"b\"")
                        && l.contains("float32[20, 20]"));
        double last = -1;
        for (String l : json.lines().filter(s -> s.contains("\"ph\": \"X\"")).toList()) {
            double ts = Double.parseDouble(l.replaceAll(".*\"ts\": ([0-9.]+),.*", "$1"));
            assertThat(ts).isGreaterThanOrEqualTo(last);
            last = ts;
        }
        assertThat(json).startsWith("{").endsWith("]}\n");
    }

    @Test
    void theGuardNamesTheOpThatMadeNan() {
        Tensor x = Tensor.of(new float[] {-1, 2, 3, 0}, 4);
        assertThatThrownBy(() -> in("block.1", new NanGuard()).run(() -> x.add(1).log())).isInstanceOf(GraftException.class)
                .hasMessageContaining("log in block.1")
                .hasMessageContaining("float32[4] from 0.000 to 1.386 with 1 infinite")
                .hasMessageContaining("it was given float32[4] from 0.000 to 4.000");
    }

    @Test
    void theGuardLetsPassAnInfinityThatIsWritten() {
        Tensor x = Tensor.of(new float[] {1, 2, 3}, 3);
        assertThat(in("", new NanGuard()).call(() -> x.ge(2).where(x, Tensor.full(Double.NEGATIVE_INFINITY, 3)).softmax())
                .toFloats()[0]).isZero();
    }

    @Test
    void theGuardLetsPassWhatCameInNotFinite() {
        Tensor x = Tensor.of(new float[] {Float.NaN, 2, Float.POSITIVE_INFINITY}, 3);
        assertThatCode(() -> in("", new NanGuard()).run(() -> x.add(1).exp())).doesNotThrowAnyException();
        assertThatCode(() -> in("", new NanGuard()).run(() -> Tensor.of(new float[] {1, 2}, 2).exp().sum()))
                .doesNotThrowAnyException();
        assertThatThrownBy(() -> in("", new NanGuard()).run(() -> Tensor.of(new float[] {100}, 1).exp().exp()))
                .hasMessageContaining("exp made values");
    }
}
