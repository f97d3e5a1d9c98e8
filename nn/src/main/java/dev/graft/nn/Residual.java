package dev.graft.nn;

import dev.graft.tensor.Tensor;

/** body(x) + shortcut(x), the shortcut being x itself unless given (He et al. 2015, arXiv:1512.03385). */
public final class Residual extends Module {
    private Module body;
    private Module shortcut;

    public Residual(Module body) {
        this.body = child("body", body);
    }

    public Residual(Module body, Module shortcut) {
        this(body);
        this.shortcut = child("shortcut", shortcut);
    }

    @Override
    protected void replaced(String name, Module old, Module replacement) {
        if (name.equals("body")) {
            body = replacement;
        } else {
            shortcut = replacement;
        }
    }

    @Override
    protected Tensor forward(Tensor x) {
        Tensor s = shortcut == null ? x : shortcut.call(x);
        return body instanceof Sequential layers ? layers.callAdd(x, s) : body.call(x).add(s);
    }
}
