package dev.graft.kernels.emulator;

import java.lang.reflect.Method;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.DynamicTestInvocationContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/** Says at the end how many tests gave the emulated device work. */
public final class EmulatedTestCount implements InvocationInterceptor {
    private static final ExtensionContext.Namespace SPACE = ExtensionContext.Namespace.create(EmulatedTestCount.class);

    /** Printed when JUnit closes its root store, after the last test. */
    private static final class Count implements AutoCloseable {
        private final AtomicInteger tests = new AtomicInteger();

        @Override
        public void close() {
            System.out.println(EmulatedCuda.folder() != null
                    ? tests + " tests ran with the emulated CUDA device"
                    : "no emulated CUDA device was used"
                            + (EmulatedCuda.reason() == null ? "" : ": " + EmulatedCuda.reason()));
        }
    }

    @Override
    public void interceptTestMethod(Invocation<Void> test, ReflectiveInvocationContext<Method> method,
            ExtensionContext context) throws Throwable {
        count(test, context);
    }

    @Override
    public void interceptTestTemplateMethod(Invocation<Void> test, ReflectiveInvocationContext<Method> method,
            ExtensionContext context) throws Throwable {
        count(test, context);
    }

    @Override
    public void interceptDynamicTest(Invocation<Void> test, DynamicTestInvocationContext dynamic, ExtensionContext context)
            throws Throwable {
        count(test, context);
    }

    private static void count(Invocation<Void> test, ExtensionContext context) throws Throwable {
        Count c = context.getRoot().getStore(SPACE).getOrComputeIfAbsent(Count.class, k -> new Count(), Count.class);
        long before = work();
        try {
            test.proceed();
        } finally {
            if (work() != before) {
                c.tests.incrementAndGet();
            }
        }
    }

    /** What the device was asked to do so far; a test that only looks at Java classes leaves it as it is. */
    private static long work() {
        return EmulatedCuda.folder() == null ? 0 : Stream.of("launches", "copies", "memsets", "allocations", "modules")
                .mapToLong(EmulatedCuda::count).sum();
    }
}
