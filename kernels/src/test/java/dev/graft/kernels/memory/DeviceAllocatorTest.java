package dev.graft.kernels.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The scheme by itself, on a device whose memory is only numbers. */
class DeviceAllocatorTest {
    private static final long MIB = 1 << 20;

    /** A driver with {@code size} bytes. */
    private static final class Driver implements DeviceAllocator.Source {
        private final long size;
        private final Map<Long, Long> given = new HashMap<>();
        private long used;
        private long next = 1L << 40;
        private int calls;
        private int waits;

        Driver(long size) {
            this.size = size;
        }

        @Override
        public long allocate(long bytes) {
            calls++;
            if (used + bytes > size) {
                return 0;
            }
            used += bytes;
            long at = next;
            next += bytes + MIB;
            given.put(at, bytes);
            return at;
        }

        @Override
        public void free(long address) {
            used -= given.remove(address);
        }

        @Override
        public void idle() {
            waits++;
        }
    }

    private final Driver driver = new Driver(1024 * MIB);
    private final DeviceAllocator allocator = new DeviceAllocator(Device.cuda(), driver);

    @Test
    void aSteadyStepAsksTheDriverForNothing() {
        for (int step = 0; step < 5; step++) {
            List<Block> blocks = new ArrayList<>();
            for (long size : new long[] {100, 5000, 3 * MIB, 17 * MIB, 600, 900_000}) {
                blocks.add(allocator.allocate(size, "x"));
            }
            blocks.forEach(allocator::free);
            if (step == 0) {
                driver.calls = 0;
            }
        }
        assertThat(driver.calls).isZero();
        assertThat(allocator.report().live()).isZero();
    }

    @Test
    void blocksNeverOverlapAndStayInsideTheirSegments() {
        Random random = new Random(7);
        List<Block> live = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            if (live.size() > 60 || random.nextInt(3) == 0 && !live.isEmpty()) {
                allocator.free(live.remove(random.nextInt(live.size())));
            } else {
                long size = 1 + (long) Math.pow(2, random.nextDouble() * 23);
                Block b = allocator.allocate(size, "x");
                assertThat(b.bytes()).isGreaterThanOrEqualTo(size);
                assertThat(b.address() % 512).isZero();
                live.add(b);
            }
            if (i % 500 == 0) {
                check(live);
            }
        }
        live.forEach(allocator::free);
        allocator.trim();
        assertThat(driver.used).isZero();
        assertThat(allocator.reserved()).isZero();
    }

    private void check(List<Block> live) {
        List<Block> sorted = live.stream().sorted((a, b) -> Long.compare(a.address(), b.address())).toList();
        for (int i = 0; i < sorted.size(); i++) {
            Block b = sorted.get(i);
            assertThat(driver.given.entrySet()).anyMatch(s -> s.getKey() <= b.address()
                    && b.address() + b.bytes() <= s.getKey() + s.getValue());
            if (i > 0) {
                assertThat(sorted.get(i - 1).address() + sorted.get(i - 1).bytes()).isLessThanOrEqualTo(b.address());
            }
        }
        assertThat(allocator.report().live()).isEqualTo(live.stream().mapToLong(Block::bytes).sum());
    }

    @Test
    void whatWasFreedIsJoinedAgain() {
        Block a = allocator.allocate(12 * MIB, "a");
        allocator.free(a);
        List<Block> parts = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            parts.add(allocator.allocate(2 * MIB, "part"));
        }
        assertThat(driver.calls).isEqualTo(1);
        for (int i : new int[] {1, 4, 0, 3, 5, 2}) {
            allocator.free(parts.get(i));
        }
        assertThat(allocator.allocate(12 * MIB, "again").address()).isEqualTo(a.address());
        assertThat(driver.calls).isEqualTo(1);
    }

    @Test
    void outOfMemoryFreesTheCacheOnceThenSaysWhatHoldsTheMemory() {
        Block kept = allocator.allocate(500 * MIB, "conv2d in layer1");
        allocator.free(allocator.allocate(400 * MIB, "x"));
        Block fits = allocator.allocate(450 * MIB, "y");        // only after the cached 400 MiB were given back
        assertThat(driver.waits).isPositive();
        assertThatThrownBy(() -> allocator.allocate(200 * MIB, "matmul in head")).isInstanceOf(OutOfDeviceMemory.class)
                .hasMessageContaining("out of memory on cuda:0 for 200.0 MiB (matmul in head)")
                .hasMessageContaining("conv2d in layer1 500.0 MiB").hasMessageContaining("smaller batch");
        allocator.free(kept);
        assertThat(allocator.allocate(200 * MIB, "matmul in head")).isNotNull();
        allocator.free(fits);
    }

    @Test
    void theLimitCountsWhatWasAskedOfTheDriver() {
        allocator.limit(100 * MIB);
        allocator.free(allocator.allocate(90 * MIB, "x"));
        assertThat(allocator.allocate(60 * MIB, "in the cached 90").bytes()).isEqualTo(60 * MIB);
        assertThatThrownBy(() -> allocator.allocate(50 * MIB, "y")).hasMessageContaining("limit 100.0 MiB");
    }

    @Test
    void aPoolKeepsItsMemoryToItself() {
        Pool pool = allocator.beginPool("graph");
        Block inside = allocator.allocate(4 * MIB, "inside");
        allocator.free(inside);
        Block again = allocator.allocate(4 * MIB, "inside");
        assertThat(again.address()).isEqualTo(inside.address());
        allocator.free(again);
        allocator.endPool();
        Block outside = allocator.allocate(4 * MIB, "outside");
        assertThat(outside.address()).isNotEqualTo(inside.address());
        long before = driver.used;
        allocator.close(pool);
        assertThat(driver.used).isLessThan(before);
    }

    @Test
    void aClosedPoolWaitsForItsLastBlock() {
        Pool pool = allocator.beginPool("graph");
        Block kept = allocator.allocate(30 * MIB, "loss");
        allocator.endPool();
        allocator.close(pool);
        assertThat(driver.used).isEqualTo(30 * MIB);
        allocator.free(kept);
        assertThat(driver.used).isZero();
    }

    @Test
    void freeingTwiceIsAnError() {
        Block b = allocator.allocate(10, "x");
        allocator.free(b);
        assertThatThrownBy(() -> allocator.free(b)).isInstanceOf(GraftException.class);
    }
}
