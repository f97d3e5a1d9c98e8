package dev.graft.nn.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.Precision;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.tensor.DType;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The table of a network whose numbers can be counted by hand: a head of 8 x 131072 weights and 131072 biases, 1179648 or
 * 9/8 Mi in all, which are 4.5 MiB of float32; and 216 + 8 + 8 + 576 + 8 + 8 = 824 values before it, 0.0 MiB.
 */
class PlanTableTest {
    private static final int CLASSES = 131072;

    private final TinyNetwork net = new TinyNetwork(CLASSES);

    private static FineTunePlan plan(TinyNetwork net, UpdateRule rule, String... frozen) {
        return FineTunePlan.of(Strategy.FINETUNE, net, 2).withRule(rule).withFrozen(ParamSelector.of(frozen))
                .withGroups(ParamGroup.of("head", net.head()), ParamGroup.of("body", ParamSelector.ALL).withLrFactor(0.1));
    }

    /** The cells of the row that begins with {@code group}; they are at least two spaces apart. */
    private static List<String> row(String table, String group) {
        return table.lines().filter(l -> l.startsWith(group + " ")).map(l -> List.of(l.strip().split(" {2,}"))).findFirst()
                .orElseThrow();
    }

    private String memory(UpdateRule rule, String... frozen) {
        return row(plan(net, rule, frozen).describe(net), "head").getLast();
    }

    @Test
    void aRowHasTheCountsAndTheMemoryOfItsGroup() {
        String table = plan(net, new Sgd(0.5), "head").describe(net);
        assertThat(row(table, "group")).containsExactly("group", "parameters", "trainable", "lr", "decay", "batch norm",
                "memory");
        assertThat(row(table, "head")).containsExactly("head", "1,179,648", "0", "-", "-", "none", "4.5 MiB");
        assertThat(row(table, "body")).containsExactly("body", "824", "824", "0.050", "0.0", "fixed", "0.0 MiB");
    }

    /** Four bytes of each value for the weight, and what is trained has as many for its gradient and for each slot. */
    @Test
    void whatIsTrainedTakesAGradientAndTheOptimizersTensors() {
        assertThat(memory(new AdamW(1e-3), "head")).isEqualTo("4.5 MiB");
        assertThat(memory(new Sgd(0.5), "first")).as("no slot").isEqualTo("9.0 MiB");
        assertThat(memory(new Sgd(0.5, 0.9), "first")).as("one").isEqualTo("13.5 MiB");
        assertThat(memory(new AdamW(1e-3), "first")).as("two").isEqualTo("18.0 MiB");
        assertThat(memory(new AdamW(1e-3), "head.weight")).as("4.5 and three times the biases").isEqualTo("6.0 MiB");
    }

    /** The bias stays float32, 0.5 MiB; int8 has a scale for every output, as many bytes. */
    @Test
    void storedWeightsTakeWhatTheyAreStoredIn() {
        net.freeze(ParamSelector.of("head"));
        net.quantize(DType.BF16);
        assertThat(memory(new AdamW(1e-3), "head")).as("2 + 0.5").isEqualTo("2.5 MiB");
        net.quantize(DType.I8);
        assertThat(memory(new AdamW(1e-3), "head")).as("1 + 0.5 + 0.5").isEqualTo("2.0 MiB");
        assertThat(memory(new AdamW(1e-3), "head.weight")).as("and three times the biases").isEqualTo("3.5 MiB");
    }

    @Test
    void theLinesAroundTheRowsSayWhatTheParametersDoNot() {
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 4).withPrecision(Precision.BF16).withSeed(3);
        assertThat(plan.describe(net)).startsWith("plan features: 4 epochs of batches of 32, ")
                .contains(", seed 3, " + Precision.BF16.label() + "\n").doesNotContain("unfreezes");
        FineTunePlan later = plan.unfreezeAt(2, "second").withAugmentation(true).withAugmentedCopies(3);
        assertThat(later.describe(net)).contains("\nepoch 3: unfreezes second\n")
                .endsWith("computed for 3 varied copies of each image: the first 1 of 4 stages\n");
        assertThat(plan(net, new Sgd(0.5)).describe(net)).endsWith("frozen: nothing\n");
    }
}
