package dev.graft.tensor.reference;

import dev.graft.tensor.Context;
import java.lang.reflect.Method;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/** Runs the test methods of a class on the reference backend, whatever the default is. */
public final class OnReference implements InvocationInterceptor {
    @Override
    public void interceptTestMethod(Invocation<Void> test, ReflectiveInvocationContext<Method> method,
                                    ExtensionContext extension) throws Throwable {
        run(test);
    }

    @Override
    public void interceptTestTemplateMethod(Invocation<Void> test, ReflectiveInvocationContext<Method> method,
                                            ExtensionContext extension) throws Throwable {
        run(test);
    }

    private static void run(Invocation<Void> test) throws Throwable {
        Throwable[] thrown = new Throwable[1];
        Context.inference().withCpu(new ReferenceBackend()).run(() -> {
            try {
                test.proceed();
            } catch (Throwable t) {
                thrown[0] = t;
            }
        });
        if (thrown[0] != null) {
            throw thrown[0];
        }
    }
}
