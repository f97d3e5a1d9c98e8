package dev.graft.nn.transfer;

import dev.graft.nn.ParamSelector;
import dev.graft.tensor.GraftException;

/**
 * From epoch {@code epoch} (counted from 0) on, what {@code selector} selects is trained although it was frozen before.
 */
public record Unfreeze(int epoch, ParamSelector selector) {
    public Unfreeze {
        if (epoch < 0 || selector.isEmpty()) {
            throw new GraftException("unfreeze: epoch " + epoch + " of '" + selector
                    + "': an epoch from 0 on and a pattern are needed");
        }
    }
}
