package dev.graft.nn.transfer;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Ready-made fine-tuning plans by name. */
public enum Strategy {
    /** Every weight random, all of them trained: what transfer learning is compared with. */
    SCRATCH {
        @Override
        FineTunePlan plan(StagedNetwork net, FineTunePlan base) {
            return base.withRandomWeights(true).withFrozen(ParamSelector.NONE).withFixedStatistics(ParamSelector.NONE);
        }
    },
    /** The backbone is frozen and its features are computed once; only the new head is trained, without augmentation. */
    FEATURES {
        @Override
        FineTunePlan plan(StagedNetwork net, FineTunePlan base) {
            return base.withFrozen(allBut(net)).withAugmentation(false);
        }
    },
    /** All layers are trained, the backbone at a tenth of the head's rate, its batch statistics kept. */
    FINETUNE {
        @Override
        FineTunePlan plan(StagedNetwork net, FineTunePlan base) {
            return base.withFrozen(ParamSelector.NONE).withFixedStatistics(ParamSelector.ALL)
                    .withGroups(ParamGroup.of("head", net.head()),
                            ParamGroup.of("backbone", ParamSelector.ALL).withLrFactor(BACKBONE_RATE));
        }
    },
    /**
     * The head first, then the backbone in four parts from the head down, each at a smaller rate than the one above it
     * (Howard and Ruder 2018, arXiv:1801.06146).
     */
    GRADUAL {
        @Override
        FineTunePlan plan(StagedNetwork net, FineTunePlan base) {
            List<Stage> stages = net.backbone().reversed();
            List<Unfreeze> unfreezing = new ArrayList<>();
            List<ParamGroup> groups = new ArrayList<>(List.of(ParamGroup.of("head", net.head())));
            int parts = Math.min(PARTS, stages.size());
            double rate = BACKBONE_RATE;
            for (int i = 0; i < parts; i++) {
                ParamSelector part = stages.subList(stages.size() * i / parts, stages.size() * (i + 1) / parts).stream()
                        .map(Stage::parameters).reduce(ParamSelector.NONE, ParamSelector::and);
                int epoch = Math.max(i + 1, base.epochs() * (i + 1) / (parts + 1));
                if (epoch < base.epochs()) {
                    unfreezing.add(new Unfreeze(epoch, part));
                    groups.add(ParamGroup.of("part " + (parts - i), part).withLrFactor(rate));
                }
                rate /= DISCRIMINATION;
            }
            return base.withFrozen(allBut(net)).withFixedStatistics(ParamSelector.ALL).withUnfreezing(unfreezing)
                    .withGroups(groups.toArray(new ParamGroup[0]));
        }
    };

    private static final double BACKBONE_RATE = 0.1;
    private static final double DISCRIMINATION = 2.6;
    private static final int PARTS = 4;

    abstract FineTunePlan plan(StagedNetwork net, FineTunePlan base);

    private static ParamSelector allBut(StagedNetwork net) {
        return ParamSelector.of("*", "!" + net.headPath());
    }

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public static Strategy parse(String name) {
        for (Strategy s : values()) {
            if (s.label().equals(name.toLowerCase(Locale.ROOT))) {
                return s;
            }
        }
        throw new GraftException("strategy '" + name + "' is not known: use one of "
                + Arrays.stream(values()).map(Strategy::label).collect(Collectors.joining(", ")));
    }
}
