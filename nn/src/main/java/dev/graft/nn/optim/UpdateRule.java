package dev.graft.nn.optim;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.graft.nn.Module;
import dev.graft.tensor.op.Update;
import java.util.List;

/** The options of an optimizer, as a value. Formulas and defaults are PyTorch's. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({@JsonSubTypes.Type(value = Sgd.class, name = "sgd"), @JsonSubTypes.Type(value = Adam.class, name = "adam"),
    @JsonSubTypes.Type(value = AdamW.class, name = "adamw"), @JsonSubTypes.Type(value = RmsProp.class, name = "rmsprop")})
public sealed interface UpdateRule permits Sgd, Adam, AdamW, RmsProp {
    /** Base learning rate, before group factors and schedules. */
    double lr();

    /** Weight decay of groups that name none. */
    double weightDecay();

    /** Names of the tensors kept per parameter, in the order in which the update takes them after the gradient. */
    List<String> slots();

    /** The change of one parameter in its {@code step}-th step, counted from 1. */
    Update update(double lr, double weightDecay, long step);

    /** An optimizer of {@code model}; parameters that no group selects form the group {@code default}. */
    default Optimizer optimizer(Module model, ParamGroup... groups) {
        return new Optimizer(model, this, List.of(groups));
    }
}
