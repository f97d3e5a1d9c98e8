package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Flatten;
import dev.graft.nn.Linear;
import dev.graft.nn.Sequential;
import dev.graft.nn.data.DataLoader;
import dev.graft.nn.data.ImageArrays;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.AdamW;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training from a loader with shuffling and augmentation. */
class LoaderTrainingTest {
    private static final int N = 42;

    @TempDir
    Path dir;

    /** Plain images whose class is their colour. */
    private static ImageArrays images() {
        List<RgbImage> images = new ArrayList<>();
        int[] labels = new int[N];
        for (int i = 0; i < N; i++) {
            labels[i] = i % 3;
            int dark = 40 + i;
            images.add(RgbImage.filled(10, 10, labels[i] == 0 ? 200 : dark, labels[i] == 1 ? 200 : dark,
                    labels[i] == 2 ? 200 : dark));
        }
        return new ImageArrays(images, labels, List.of("red", "green", "blue"));
    }

    private static DataLoader loader(int workers) {
        return new DataLoader(images(), Transforms.trainSmall(8, 2, Normalize.IMAGENET),
                LoaderOptions.train(8, 3).withWorkers(workers));
    }

    private Trainer trainer(Sequential model, boolean saves) {
        return new Trainer(model, new AdamW(0.02).optimizer(model), new CrossEntropy(),
                new TrainOptions(4, 7).withProgress(false)
                        .withCheckpoints(saves ? new CheckpointPolicy(dir).withEverySteps(1) : null));
    }

    private static Sequential model(long seed) {
        Sequential m = new Sequential(new Conv2d(3, 4, 3, ConvSpec.DEFAULT), new AdaptiveAvgPool2d(1, 1), new Flatten(),
                new Linear(4, 3));
        m.initialize(seed);
        return m;
    }

    @Test
    void learnsAndResumesInTheMiddleOfAnAugmentedEpoch() {
        Sequential whole = model(1);
        TrainResult expected;
        try (DataLoader l = loader(2)) {
            assertThat(Batches.of(l).count()).isEqualTo(6);
            assertThat(Batches.of(l).samples()).isEqualTo(N);
            expected = trainer(whole, false).fit(Batches.of(l), Batches.of(l));
        }
        assertThat(expected.history().rows().getLast().valAccuracy()).isGreaterThan(0.9);
        try (DataLoader l = loader(1)) {
            Trainer first = trainer(model(1), true);
            first.on(e -> {
                if (e instanceof TrainEvent.Step s && s.step() == 9) {
                    first.stop();
                }
            }).fit(Batches.of(l), Batches.of(l));
        }
        Sequential second = model(2);
        try (DataLoader l = loader(0); TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            assertThat(c.state().batch()).isEqualTo(3);
            assertThat(trainer(second, false).resume(c).fit(Batches.of(l), Batches.of(l)).steps()).isEqualTo(24);
        }
        Map<String, float[]> values = TrainerTest.values(whole);
        TrainerTest.values(second).forEach((path, v) -> assertThat(v).as(path).isEqualTo(values.get(path)));
    }
}
