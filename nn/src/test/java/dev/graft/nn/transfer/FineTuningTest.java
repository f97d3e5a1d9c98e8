package dev.graft.nn.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.Activation;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.Flatten;
import dev.graft.nn.Identity;
import dev.graft.nn.Linear;
import dev.graft.nn.Padding;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.nn.Precision;
import dev.graft.nn.Sequential;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.ImageArrays;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.RandomCrop;
import dev.graft.nn.data.image.RandomHorizontalFlip;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.train.TrainEvent;
import dev.graft.nn.train.TrainingCheckpoint;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FineTuningTest {
    private static final Transforms PLAIN = Transforms.of(Normalize.MINUS_ONE_TO_ONE);

    @TempDir
    private Path folder;

    /** Noise with a colour cast by class. */
    private static DataSplit data(int classes, long seed) {
        return new DataSplit(images(classes, 24, seed), images(classes, 8, seed + 1));
    }

    private static ImageArrays images(int classes, int perClass, long seed) {
        Random random = new Random(seed);
        List<RgbImage> images = new ArrayList<>();
        int[] labels = new int[classes * perClass];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = i % classes;
            byte[] pixels = new byte[8 * 8 * 3];
            for (int k = 0; k < pixels.length; k++) {
                pixels[k] = (byte) (random.nextInt(120) + (k % 3 == labels[i] % 3 ? 100 : 0));
            }
            images.add(new RgbImage(8, 8, pixels));
        }
        return new ImageArrays(images, labels, Stream.of("red", "green", "blue").limit(classes).toList());
    }

    private static TinyNetwork pretrained() {
        TinyNetwork net = new TinyNetwork(7);
        net.initialize(3);
        return net;
    }

    private static Map<String, float[]> values(StagedNetwork net, String patterns) {
        Map<String, float[]> all = new LinkedHashMap<>();
        ParamSelector s = ParamSelector.of(patterns);
        net.parameters().forEach((path, p) -> {
            if (s.matches(path)) {
                all.put(path, p.value().toFloats());
            }
        });
        net.buffers().forEach((path, b) -> {
            if (s.matches(path)) {
                all.put(path, b.value().toFloats());
            }
        });
        return all;
    }

    private static boolean same(Map<String, float[]> a, Map<String, float[]> b) {
        return a.keySet().equals(b.keySet())
                && a.keySet().stream().allMatch(k -> java.util.Arrays.equals(a.get(k), b.get(k)));
    }

    private FineTuning tuning(StagedNetwork net, FineTunePlan plan, DataSplit data) {
        return new FineTuning(net, plan, data, PLAIN, PLAIN).cache(new FeatureCache(folder.resolve("cache"), 1 << 20));
    }

    @Test
    void featuresLearnsWithTheHeadAloneAndTheSecondRunFindsTheCache() throws IOException {
        TinyNetwork net = pretrained();
        Map<String, float[]> before = values(net, "first,second");
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 30).withRule(new Sgd(0.5)).withBatch(8);
        FineTuneResult r = tuning(net, plan, data(3, 1)).run();
        assertThat(r.accuracy()).isGreaterThan(0.85);
        assertThat(r.cachedStages()).isEqualTo(3);
        assertThat(same(before, values(net, "first,second"))).as("frozen weights and statistics").isTrue();
        assertThat(net.classes()).isEqualTo(3);
        try (Stream<Path> files = Files.list(folder.resolve("cache"))) {
            assertThat(files).hasSize(2);
        }
        TinyNetwork again = pretrained();
        FineTuneResult cached = tuning(again, plan, data(3, 1)).run();
        assertThat(same(values(net, "*"), values(again, "*"))).as("the cache changes nothing").isTrue();
        assertThat(cached.predictions()).hasSameSizeAs(r.predictions());
    }

    /** How many images at once went through a frozen layer in a run with batches of {@code batch}. */
    private List<Integer> sizesInFrozenLayer(int batch) {
        List<Integer> sizes = new ArrayList<>();
        final class Probe extends dev.graft.nn.Module {
            @Override
            protected Tensor forward(Tensor x) {
                sizes.add(x.dim(0));
                return x;
            }
        }

        TinyNetwork net = pretrained();
        net.replace("first.2", new Probe());
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 1).withBatch(batch);
        tuning(net, plan, data(3, 1)).cache(null).run();
        return sizes;
    }

    /** A kernel chosen by size may sum in another order, so a cache made with other batches would give other bits. */
    @Test
    void featuresDoNotDependOnTheBatch() {
        assertThat(sizesInFrozenLayer(1)).isEqualTo(sizesInFrozenLayer(8)).contains(72 % 32, 24);
    }

    @Test
    void cachedAndComputedFeaturesGiveTheSameResult() {
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 3).withBatch(8)
                .withFeatureFormat(FeatureFormat.FLOAT32);
        TinyNetwork cached = pretrained();
        tuning(cached, plan, data(3, 1)).run();
        TinyNetwork computed = pretrained();
        tuning(computed, plan.withCachedFeatures(false), data(3, 1)).run();
        Map<String, float[]> a = values(cached, "head");
        Map<String, float[]> b = values(computed, "head");
        a.forEach((path, v) -> assertThat(b.get(path)).containsExactly(v, org.assertj.core.data.Offset.offset(1e-4f)));
    }

    /** So many notes, of which one has these words. */
    private List<String> notes(FineTunePlan plan, FeatureCache cache) {
        List<String> notes = new ArrayList<>();
        tuning(pretrained(), plan, data(3, 1)).cache(cache).onNote(notes::add).run();
        return notes;
    }

    @Test
    void theChoiceIsSaidWithItsReason() {
        FeatureCache cache = new FeatureCache(folder.resolve("said"), 1 << 20);
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 1).withBatch(8);
        String saving = notes(plan, cache).getLast();
        Matcher seconds = Pattern.compile("features of the frozen layers are cached \\(96 images x 8, 1\\.5 KiB float16\\):"
                + " an epoch over 96 images takes about (\\S+) s instead of (\\S+) s").matcher(saving);
        assertThat(seconds.matches()).as(saving).isTrue();
        assertThat(Double.parseDouble(seconds.group(1))).isPositive().isLessThanOrEqualTo(
                Double.parseDouble(seconds.group(2)));
        assertThat(notes(plan.withCachedFeatures(false), cache)).containsExactly(
                "features of the frozen layers are not cached: that is switched off");
        assertThat(notes(plan.withAugmentation(true), cache)).singleElement().asString().contains("varied at random")
                .contains("augmented copies");
        FineTunePlan wide = plan.withFrozen(ParamSelector.of("first"));      // 8 x 8 x 8 values of 8 x 8 x 3 bytes
        assertThat(notes(wide, cache)).singleElement().asString().contains("1.0 KiB, more than its 192 B");
        assertThat(notes(wide.withFeatureFormat(FeatureFormat.FLOAT16), cache)).last().asString()
                .contains("96 images x 8 x 8 x 8, 96.0 KiB float16");
        assertThat(notes(FineTunePlan.of(Strategy.FINETUNE, pretrained(), 1), cache)).isEmpty();
    }

    /** As another process' files fill it after the choice was made; a folder is full before a run here. */
    @Test
    void aRunGoesOnWithoutFeaturesThatFindNoRoom() throws IOException {
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 3).withBatch(8);
        Path full = Files.createDirectories(folder.resolve("full"));
        Path newer = Files.write(full.resolve("newer.features"), new byte[1 << 20]);
        Files.setLastModifiedTime(newer, FileTime.from(Instant.now().plusSeconds(1000)));
        List<String> notes = new ArrayList<>();
        TinyNetwork without = pretrained();
        FineTuneResult r = tuning(without, plan, data(3, 1)).cache(new FeatureCache(full, 1 << 20).withMemory(100))
                .onNote(notes::add).run();
        assertThat(notes).singleElement().asString().startsWith("features of the frozen layers are not cached: the cache's"
                + " folder has no room for them, and they would take ").endsWith("100 B are the most");
        assertThat(r.cachedStages()).isZero();
        TinyNetwork computed = pretrained();
        tuning(computed, plan.withCachedFeatures(false), data(3, 1)).run();
        assertThat(same(values(without, "*"), values(computed, "*"))).as("as with the cache switched off").isTrue();
    }

    /** Copy k is what epoch k of an uncached run sees, so with as many copies as epochs nothing changes but the kernels. */
    @Test
    void augmentedCopiesAreTheImagesOfTheirEpochs() {
        Transforms varied = Transforms.of(Normalize.MINUS_ONE_TO_ONE, new RandomCrop(8, 2), new RandomHorizontalFlip(0.5));
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 4).withBatch(8).withAugmentation(true)
                .withSeed(7).withFeatureFormat(FeatureFormat.FLOAT32).restoreBest(false);
        Map<String, float[]> fresh = head(plan, varied);
        Map<String, float[]> four = head(plan.withAugmentedCopies(4), varied);
        Map<String, float[]> two = head(plan.withAugmentedCopies(2), varied);
        fresh.forEach((path, v) -> {
            assertThat(four.get(path)).containsExactly(v, org.assertj.core.data.Offset.offset(1e-4f));
            assertThat(two.get(path)).isNotEqualTo(four.get(path));
        });
        assertThat(same(four, head(plan.withAugmentedCopies(4), varied))).as("out of the cache").isTrue();
    }

    private Map<String, float[]> head(FineTunePlan plan, Transforms train) {
        TinyNetwork net = pretrained();
        new FineTuning(net, plan, data(3, 1), train, PLAIN).cache(new FeatureCache(folder.resolve("cache"), 1 << 20)).run();
        return values(net, "head");
    }

    /** The names of the threads that made images when the first step was done; the weights after the run in {@code all}. */
    private List<String> loaders(FineTunePlan plan, Integer workers, List<Map<String, float[]>> all) {
        List<String> names = new ArrayList<>();
        TinyNetwork net = pretrained();
        FineTuning t = tuning(net, plan, data(3, 1)).cache(null).on(e -> {
            if (e instanceof TrainEvent.Step s && s.step() == 1) {
                Thread.getAllStackTraces().keySet().stream().map(Thread::getName).filter(n -> n.startsWith("graft-data"))
                        .forEach(names::add);
            }
        });
        (workers == null ? t : t.workers(workers)).run();
        all.add(values(net, "*"));
        return names;
    }

    @Test
    void theNumberOfWorkersIsAskedForAndChangesNothing() {
        FineTunePlan plan = FineTunePlan.of(Strategy.FINETUNE, pretrained(), 2).withBatch(8).withSeed(3);
        List<Map<String, float[]>> all = new ArrayList<>();
        assertThat(loaders(plan, 0, all)).isEmpty();
        assertThat(loaders(plan, 3, all)).hasSize(3);
        assertThat(loaders(plan, null, all)).hasSize(LoaderOptions.defaultWorkers());
        FineTunePlan cached = FineTunePlan.of(Strategy.FEATURES, pretrained(), 2).withBatch(8);
        loaders(cached, 0, all);
        loaders(cached, 4, all);
        assertThat(same(all.get(0), all.get(1)) && same(all.get(0), all.get(2)) && same(all.get(3), all.get(4))).isTrue();
        assertThatThrownBy(() -> tuning(pretrained(), plan, data(3, 1)).workers(-1)).isInstanceOf(GraftException.class)
                .hasMessageContaining("0 to 256 workers").hasMessageContaining("workers -1");
    }

    @Test
    void theProfileHasEveryWaitForDataThatOfFeaturesToo() {
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 2).withBatch(8);
        Profiler p = new Profiler();
        Context.current().with(p).run(() -> tuning(pretrained(), plan, data(3, 1)).cache(null).run());
        assertThat(p.byOp().rows()).filteredOn(r -> r.name().equals(Profiler.WAIT)).singleElement()
                .satisfies(r -> assertThat(r.calls()).as("72 and 24 images in batches of 32 for their features; of 8 in two"
                        + " epochs, and 24 of them in the evaluation").isEqualTo(3 + 1 + 2 * (9 + 3) + 3));
    }

    @Test
    void aPlanOfBeforeKeepsFloat32() {
        String json = FineTunePlan.of(Strategy.FEATURES, pretrained(), 4).toJson();
        String old = json.replaceAll("(?m)^ *\"(featureFormat|augmentedCopies)\".*\\R", "");
        assertThat(old).isNotEqualTo(json);
        assertThat(FineTunePlan.fromJson(old).featureFormat()).isEqualTo(FeatureFormat.FLOAT32);
    }

    @Test
    void aDamagedCacheFileIsComputedAnew() throws IOException {
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 2).withBatch(8);
        TinyNetwork first = pretrained();
        tuning(first, plan, data(3, 1)).run();
        try (Stream<Path> files = Files.list(folder.resolve("cache"))) {
            for (Path f : files.toList()) {
                byte[] b = Files.readAllBytes(f);
                b[b.length / 2] ^= 1;
                Files.delete(f);
                Files.write(f, b);
            }
        }
        TinyNetwork second = pretrained();
        tuning(second, plan, data(3, 1)).run();
        assertThat(same(values(first, "*"), values(second, "*"))).isTrue();
    }

    @ParameterizedTest
    @EnumSource(value = Strategy.class, names = {"FEATURES", "FINETUNE", "GRADUAL"})
    void anotherDeviceGivesTheSameRun(Strategy strategy) {
        FineTunePlan plan = FineTunePlan.of(strategy, pretrained(), 6).withBatch(8).withClipNorm(1);
        TinyNetwork here = pretrained();
        FineTuneResult a = tuning(here, plan, data(3, 1)).run();
        TinyNetwork there = pretrained();
        there.to(Device.cuda());
        FineTuneResult b = tuning(there, plan, data(3, 1)).run();
        assertThat(there.at("head").device()).isEqualTo(Device.cuda());
        assertThat(same(values(here, "*"), values(there, "*"))).isTrue();
        assertThat(b.accuracy()).isEqualTo(a.accuracy());
        for (int i = 0; i < a.predictions().size(); i++) {
            assertThat(b.predictions().get(i).probabilities()).isEqualTo(a.predictions().get(i).probabilities());
        }
    }

    private static String key(StagedNetwork net, int prefix, Dataset data, Transforms transforms) {
        return key(net, prefix, data, transforms, Precision.FLOAT32);
    }

    private static String key(StagedNetwork net, int prefix, Dataset data, Transforms transforms, Precision precision) {
        String network = FeatureKey.ofStages(net, prefix, precision);
        return new FeatureRequest(net, prefix, network, data, transforms, precision, 0, 0, 1).key(FeatureFormat.AUTO);
    }

    @Test
    void anotherPrecisionHasAnotherKey() {
        DataSplit d = data(3, 1);
        assertThat(key(pretrained(), 3, d.train(), PLAIN, Precision.BF16))
                .isNotEqualTo(key(pretrained(), 3, d.train(), PLAIN));
    }

    @Test
    void otherWeightsHaveAnotherKey() {
        DataSplit d = data(3, 1);
        String key = key(pretrained(), 3, d.train(), PLAIN);
        TinyNetwork other = new TinyNetwork(7);
        other.initialize(4);
        assertThat(key(other, 3, d.train(), PLAIN)).isNotEqualTo(key);
        assertThat(key(pretrained(), 3, data(3, 9).train(), PLAIN)).isNotEqualTo(key);
        assertThat(key(pretrained(), 3, d.train(), Transforms.of(Normalize.IMAGENET))).isNotEqualTo(key);
        TinyNetwork otherHead = pretrained();
        otherHead.replaceHead(3);
        assertThat(key(otherHead, 3, d.train(), PLAIN)).as("the head does not matter").isEqualTo(key);
    }

    @Test
    void otherSettingsOfALayerHaveAnotherKey() {
        DataSplit d = data(3, 1);
        String key = key(pretrained(), 3, d.train(), PLAIN);
        for (String layer : List.of("first.0", "second.0")) {
            TinyNetwork padded = pretrained();
            Conv2d old = (Conv2d) padded.at(layer);
            Conv2d same = new Conv2d(old.inChannels(), old.outChannels(), 3, old.spec().padding(Padding.TF_SAME));
            same.weight().assign(old.weight().value().copy());
            padded.replace(layer, same);
            assertThat(key(padded, 3, d.train(), PLAIN)).as(layer).isNotEqualTo(key);
        }
        TinyNetwork eps = pretrained();
        eps.replace("first.1", new BatchNorm2d(8, 1e-3, 0.1));
        assertThat(key(eps, 3, d.train(), PLAIN)).as("eps of a norm whose values are the same").isNotEqualTo(key);
    }

    @Test
    void theKeySeesALayerThatIsNamedLikeTheHead() {
        DataSplit d = data(3, 1);
        TinyNetwork a = pretrained();
        a.replace("second.2", new Sequential().add("head", Activation.relu()));
        TinyNetwork b = pretrained();
        b.replace("second.2", new Sequential().add("head", Activation.tanh()));
        assertThat(key(a, 3, d.train(), PLAIN)).isNotEqualTo(key(b, 3, d.train(), PLAIN));
    }

    @Test
    void finetuneTrainsAllWeightsAndKeepsTheStatistics() {
        TinyNetwork net = pretrained();
        Map<String, float[]> weights = values(net, "*.weight,!head");
        Map<String, float[]> statistics = values(net, "*running_mean,*running_var");
        tuning(net, FineTunePlan.of(Strategy.FINETUNE, net, 2).withBatch(8), data(3, 1)).run();
        values(net, "*.weight,!head").forEach((path, v) -> assertThat(v).as(path).isNotEqualTo(weights.get(path)));
        assertThat(same(statistics, values(net, "*running_mean,*running_var"))).isTrue();
    }

    @Test
    void gradualUnfreezesByEpoch() {
        TinyNetwork net = pretrained();
        FineTunePlan plan = FineTunePlan.of(Strategy.GRADUAL, net, 6).withBatch(8).restoreBest(false);
        Map<Integer, List<String>> trainable = new HashMap<>();
        Map<Integer, Map<String, float[]>> first = new HashMap<>();
        tuning(net, plan, data(3, 1)).on(e -> {
            if (e instanceof TrainEvent.EpochStart s) {
                trainable.put(s.epoch(), net.parameters().entrySet().stream().filter(p -> p.getValue().trainable())
                        .map(Map.Entry::getKey).toList());
                first.put(s.epoch(), values(net, "first"));
            }
        }).run();
        assertThat(trainable.get(0)).containsExactly("head.weight", "head.bias");
        assertThat(trainable.get(5)).hasSameSizeAs(net.parameters().keySet());
        int second = plan.unfreezing().getFirst().epoch();
        assertThat(trainable.get(second)).anyMatch(p -> p.startsWith("second")).noneMatch(p -> p.startsWith("first"));
        int last = plan.unfreezing().getLast().epoch();
        assertThat(same(first.get(0), first.get(last))).as("untouched until unfrozen").isTrue();
        assertThat(same(first.get(0), values(net, "first"))).isFalse();
    }

    @Test
    void aResumedRunGivesTheSameBits() {
        FineTunePlan plan = FineTunePlan.of(Strategy.GRADUAL, pretrained(), 5).withBatch(8).withSeed(11);
        TinyNetwork whole = pretrained();
        tuning(whole, plan, data(3, 1)).run();

        Path checkpoints = folder.resolve("checkpoints");
        TinyNetwork net = pretrained();
        FineTuning stopped = tuning(net, plan, data(3, 1)).checkpoints(checkpoints);
        stopped.on(e -> {
            if (e instanceof TrainEvent.Step s && s.step() == 13) {      // in the middle of an epoch of nine batches
                stopped.stop();
            }
        });
        assertThat(stopped.run().training().interrupted()).isTrue();
        TinyNetwork fresh = pretrained();
        try (TrainingCheckpoint saved = TrainingCheckpoint.latest(checkpoints)) {
            FineTunePlan read = FineTunePlan.fromJson(saved.plan());
            assertThat(read).isEqualTo(plan);
            tuning(fresh, read, data(3, 1)).checkpoints(checkpoints).resume(saved).run();
        }
        assertThat(same(values(whole, "*"), values(fresh, "*"))).isTrue();
    }

    @Test
    void scratchForgetsThePretrainedWeights() {
        TinyNetwork net = pretrained();
        FineTuning t = tuning(net, FineTunePlan.of(Strategy.SCRATCH, net, 1).withSeed(5), data(3, 1));
        Map<String, float[]> before = values(net, "first.0");
        t.prepare();
        assertThat(same(before, values(net, "first.0"))).isFalse();
        assertThat(net.modules().values()).noneMatch(dev.graft.nn.Module::frozen);
    }

    @Test
    void thePlanIsPrintedAsATable() {
        TinyNetwork net = pretrained();
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 4).withSeed(2);
        assertThat(plan.describe(net)).contains("plan features: 4 epochs").contains("group").contains("trainable")
                .contains("frozen: *,!head").contains("computed once per image: the first 3 of 4 stages");
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"BF16", "I8"})
    void aStoredWeightThatALaterEpochUnfreezesIsRefusedBeforeTheFirst(DType type) {
        TinyNetwork net = pretrained();
        net.replace("second.2", new Linear(8, 8));
        net.freeze(ParamSelector.of("*", "!head"));
        net.quantize(type);
        FineTunePlan plan = FineTunePlan.of(Strategy.GRADUAL, net, 6);        // second from epoch 2 on, first from 4 on
        List<TrainEvent> events = new ArrayList<>();
        for (ThrowingCallable start : List.<ThrowingCallable>of(() -> plan.applyTo(net, 0), () -> plan.describe(net),
                () -> tuning(net, plan, data(3, 1)).prepare(), () -> tuning(net, plan, data(3, 1)).on(events::add).run())) {
            assertThatThrownBy(start).isInstanceOf(GraftException.class).hasMessage("plan: second.2.weight of stage second"
                    + " is to be trained from epoch 3 of 6 on, but is stored as " + type + " and cannot become trainable:"
                    + " call quantize(DType.F32) on the network first, or keep it frozen");
        }
        assertThat(events).isEmpty();
        plan.withUnfreezing(plan.unfreezing().subList(1, 2)).applyTo(net, 0);       // first alone, which is float32
        net.quantize(DType.F32);
        plan.applyTo(net, 0);
        assertThat(net.parameters().get("second.2.weight").trainable()).isFalse();
    }

    @Test
    void aRefusedRunHasChangedNothing() {
        TinyNetwork net = pretrained();
        net.replace("second.2", new Linear(8, 8));
        net.freeze(ParamSelector.of("*", "!head"));
        net.quantize(DType.I8);
        Map<String, float[]> before = values(net, "*,!second.2");
        dev.graft.nn.Module head = net.at("head");
        FineTunePlan good = FineTunePlan.of(Strategy.FEATURES, net, 6).withSeed(5);
        FineTunePlan fresh = good.withRandomWeights(true);
        Map<FineTunePlan, String> refused = Map.of(good.freeze("frist"), "'frist' selects no parameter",
                fresh.freeze("frist"), "'frist' selects no parameter",
                good.unfreezeAt(2, "secnd"), "'secnd' selects no parameter",
                good.unfreezeAt(4, "second"), "to be trained from epoch 5 of 6 on, but is stored as " + DType.I8,
                good.freeze("*"), "everything is frozen in epoch 0",
                good.unfreezeAt(3, "!head"), "everything is frozen in epoch 3",
                fresh.withGroup(ParamGroup.of("slow", "frist")), "'frist' selects no parameter");
        refused.forEach((plan, why) -> {
            assertThatThrownBy(() -> tuning(net, plan, data(3, 1)).run()).isInstanceOf(GraftException.class)
                    .hasMessageContaining(why);
            assertThat(net.at("head")).as(why).isSameAs(head);
            assertThat(net.classes()).isEqualTo(7);
            assertThat(same(before, values(net, "*,!second.2"))).as(why).isTrue();
            assertThat(net.parameters().get("second.2.weight").dtype()).isEqualTo(DType.I8);
            assertThat(net.parameters().values().stream().filter(Parameter::trainable)).as(why).hasSize(2);
        });
        tuning(net, good.unfreezeAt(1, "head"), data(3, 1)).prepare();
        assertThat(net.classes()).isEqualTo(3);
    }

    /** 64 features of an image, and a new head of other layers than the one before. */
    private static final class WideNetwork extends StagedNetwork {
        private final Linear body = child("body", new Linear(8 * 8 * 3, 64));
        private dev.graft.nn.Module head = child("head", new Linear(64, 7));
        private int classes = 7;

        @Override
        protected List<Stage> chain() {
            return List.of(Stage.of("body", "body", x -> body.call(new Flatten().call(x))),
                    Stage.of("head", "head", x -> head.call(x)));
        }

        @Override
        public String headPath() {
            return "head";
        }

        @Override
        protected dev.graft.nn.Module newHead(int outputs) {
            classes = outputs;
            return new Sequential(new Linear(64, 5), new Linear(5, outputs));
        }

        @Override
        protected void replaced(String name, dev.graft.nn.Module old, dev.graft.nn.Module replacement) {
            head = replacement;
        }

        @Override
        public int classes() {
            return classes;
        }
    }

    /**
     * 8 copies of 72 images and 24 others x 64 values: 75 KiB as float16; as int8 37.5, with labels and scales 46.2, and
     * 13.5 more while a copy is written.
     */
    @Test
    void whereOnlyInt8FindsRoomItIsTakenAndSaid() throws IOException {
        Path place = folder.resolve("narrow");
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, new WideNetwork(), 1).withBatch(8).withAugmentation(true)
                .withAugmentedCopies(8);
        String tooLarge = "float16 would take 75.0 KiB, more than the 70.0 KiB of the cache's folder and 100 B of memory";
        assertThat(wideNotes(plan, place, 70)).last().asString().contains("are cached (600 images x 64, ")
                .contains(" int8 because " + tooLarge + "): an epoch over 96 ");
        try (Stream<Path> files = Files.list(place)) {
            assertThat(files.mapToLong(f -> f.toFile().length()).sum()).isBetween(600 * 64L, 50L << 10);
        }
        assertThat(wideNotes(plan.withFeatureFormat(FeatureFormat.FLOAT16), place, 70)).containsExactly("features of the"
                + " frozen layers are not cached: the features of 600 images" + tooLarge.substring("float16".length()));
        Path smaller = folder.resolve("smaller");
        assertThat(wideNotes(plan, smaller, 50)).as("room for complete sets only").singleElement().asString()
                .contains("are not cached: the features of 600 images would take 75.0 KiB, more than the 50.0 KiB");
        assertThat(wideNotes(plan.withAugmentation(false), smaller, 10)).as("one set, four times as large while written")
                .singleElement().asString().contains("are not cached: the features of 96 images would take 12.0 KiB");
        assertThat(smaller).doesNotExist();
    }

    private List<String> wideNotes(FineTunePlan plan, Path place, int kibibytes) {
        WideNetwork net = new WideNetwork();
        net.initialize(1);
        List<String> notes = new ArrayList<>();
        Transforms train = plan.augmentation()
                ? Transforms.of(Normalize.MINUS_ONE_TO_ONE, new RandomHorizontalFlip(0.5)) : PLAIN;
        new FineTuning(net, plan, data(3, 1), train, PLAIN).cache(new FeatureCache(place, kibibytes << 10).withMemory(100))
                .onNote(notes::add).run();
        return notes;
    }

    @Test
    void aPlanMayNameWhatOnlyTheNewHeadHas() {
        WideNetwork net = new WideNetwork();
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 2).freeze("head.0").unfreezeAt(1, "re:head\\.0\\..*")
                .withGroups(ParamGroup.of("last", "head.1"));
        tuning(net, plan, data(3, 1)).prepare();
        assertThat(net.parameters().entrySet().stream().filter(e -> e.getValue().trainable()).map(Map.Entry::getKey))
                .containsExactly("head.1.weight", "head.1.bias");
        assertThatThrownBy(() -> tuning(new WideNetwork(), plan.freeze("head.7"), data(3, 1)).prepare())
                .isInstanceOf(GraftException.class).hasMessageContaining("'head.7' selects no parameter");
    }

    private static List<String> trainable(StagedNetwork net) {
        return net.parameters().entrySet().stream().filter(e -> e.getValue().trainable()).map(Map.Entry::getKey).toList();
    }

    @Test
    void whatOnlyTheNewHeadHasMayBeAllThatIsTrained() {
        for (String[] patterns : List.of(new String[] {"*", "!head.1"}, new String[] {"*", "!*.1.weight", "!*.1.bias"},
                new String[] {"*", "!re:.*\\.1\\..*"}, new String[] {"body", "*.0.weight,*.0.bias"})) {
            WideNetwork net = new WideNetwork();
            FineTunePlan plan = FineTunePlan.of(Strategy.FINETUNE, net, 2).freeze(patterns)
                    .withGroup(ParamGroup.of("last", "*.1.weight"));
            tuning(net, plan, data(3, 1)).prepare();
            plan.applyTo(net, 0);
            assertThat(trainable(net)).as(String.join(" ", patterns)).containsExactly("head.1.weight", "head.1.bias");
        }
        WideNetwork later = new WideNetwork();
        FineTunePlan plan = FineTunePlan.of(Strategy.FINETUNE, later, 2).freeze("*", "!head.1").unfreezeAt(1, "*.0.weight");
        tuning(later, plan, data(3, 1)).prepare();
        plan.applyTo(later, 1);
        assertThat(trainable(later)).containsExactly("head.0.weight", "head.1.weight", "head.1.bias");
    }

    @Test
    void aNameThatOnlyBeginsLikeTheHeadsIsRefusedBeforeAnythingChanges() {
        WideNetwork net = new WideNetwork();
        net.initialize(1);
        Map<String, float[]> before = values(net, "*");
        dev.graft.nn.Module head = net.at("head");
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 3);
        Map<FineTunePlan, String> refused = Map.of(plan.freeze("headd"), "freeze pattern 'headd' selects no parameter",
                plan.freeze("head1.weight"), "freeze pattern 'head1.weight' selects no parameter",
                plan.freeze("re:head\\d.*"), "selects no parameter", plan.freeze("*", "head.1"), "everything is frozen",
                plan.unfreezeAt(1, "heads.0"), "unfreeze pattern 'heads.0' selects no parameter",
                plan.withGroup(ParamGroup.of("slow", "headd")), "'headd' selects no parameter",
                plan.withGroups(ParamGroup.of("slow", "headd"), ParamGroup.of("last", "head.1")),
                "'headd' selects no parameter");
        refused.forEach((p, why) -> {
            assertThatThrownBy(() -> tuning(net, p, data(3, 1)).prepare()).isInstanceOf(GraftException.class)
                    .hasMessageContaining(why);
            assertThat(net.at("head")).as(why).isSameAs(head);
            assertThat(net.classes()).isEqualTo(7);
            assertThat(same(before, values(net, "*"))).as(why).isTrue();
        });
        tuning(net, plan.freeze("head*1.weight"), data(3, 1)).prepare();
        assertThat(net.classes()).isEqualTo(3);
    }

    @Test
    void whatIsUnfrozenInsideAFrozenBlockRunsAsInTraining() {
        for (String pattern : List.of("second", "second*")) {
            TinyNetwork net = pretrained();
            FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 3).withFrozen(ParamSelector.of("first", pattern))
                    .unfreezeAt(1, "second.1");
            plan.applyTo(net, 0);
            assertThat(net.at("second").frozen()).as(pattern).isTrue();
            plan.applyTo(net, 1);
            assertThat(net.at("second").frozen()).as(pattern).isFalse();
            assertThat(net.at("second.0").frozen() && net.at("second.3").frozen()).as("convolution and dropout").isTrue();
            float[] before = net.buffers().get("second.1.running_mean").value().toFloats();
            Context.current().withTraining(true).run(() -> net.call(Tensor.ones(2, 8, 8, 3)));
            assertThat(net.buffers().get("second.1.running_mean").value().toFloats()).as(pattern).isNotEqualTo(before);
        }
    }

    @Test
    void dropoutThatIsNotFrozenEndsTheCachedPrefix() {
        TinyNetwork net = pretrained();
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 1);
        assertThat(plan.lastingPrefix(net)).isEqualTo(3);
        net.replace("second.0", new Identity());        // a stage of dropout and a frozen norm among layers without weights
        net.replace("second.1", new Identity());
        assertThat(plan.withFrozen(ParamSelector.of("first")).lastingPrefix(net)).isEqualTo(1);
        assertThat(plan.withFrozen(ParamSelector.of("first", "second.3")).lastingPrefix(net)).isEqualTo(3);
    }

    @Test
    void preparingFirstChangesNothing() {
        TinyNetwork net = pretrained();
        FineTunePlan plan = FineTunePlan.of(Strategy.SCRATCH, net, 1).withSeed(5).withBatch(8);
        tuning(net, plan, data(3, 1)).run();
        TinyNetwork prepared = pretrained();
        tuning(prepared, plan, data(3, 1)).prepare().prepare().run();
        assertThat(same(values(net, "*"), values(prepared, "*"))).isTrue();
    }

    @Test
    void aResumedRunTakesFrozenWeightsFromTheCheckpoint() {
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, pretrained(), 4).withBatch(8).withRule(new Sgd(0.5));
        TinyNetwork whole = pretrained();
        tuning(whole, plan, data(3, 1)).run();
        Path checkpoints = folder.resolve("checkpoints");
        FineTuning stopped = tuning(pretrained(), plan, data(3, 1)).checkpoints(checkpoints);
        stopped.on(e -> {
            if (e instanceof TrainEvent.Step s && s.step() == 13) {
                stopped.stop();
            }
        }).run();
        TinyNetwork unloaded = new TinyNetwork(7);
        unloaded.initialize(99);
        try (TrainingCheckpoint saved = TrainingCheckpoint.latest(checkpoints)) {
            tuning(unloaded, plan, data(3, 1)).resume(saved).run();
            assertThat(same(values(whole, "*"), values(unloaded, "*"))).isTrue();
            assertThatThrownBy(() -> tuning(pretrained(), plan.withBatch(4), data(3, 1)).resume(saved))
                    .isInstanceOf(GraftException.class).hasMessageContaining("another plan");
        }
    }

    @Test
    void stoppingBeforeTheFirstStepIsNotForgotten() {
        TinyNetwork net = pretrained();
        FineTuning t = tuning(net, FineTunePlan.of(Strategy.FEATURES, net, 2), data(3, 1));
        t.onNote(n -> t.stop());            // while features are computed, before there is a trainer
        FineTuneResult r = t.run();
        assertThat(r.training().interrupted()).isTrue();
        assertThat(r.training().steps()).isZero();
    }

    @Test
    void everyWithMethodChangesItsPartAlone() {
        FineTunePlan plan = FineTunePlan.of(Strategy.GRADUAL, pretrained(), 8);
        Map<String, FineTunePlan> changed = Map.ofEntries(Map.entry("patience", plan.stopEarly(7)),
                Map.entry("randomWeights", plan.withRandomWeights(true)), Map.entry("frozen", plan.freeze("first")),
                Map.entry("unfreezing", plan.unfreezeAt(2, "second")),
                Map.entry("fixedStatistics", plan.withFixedStatistics(ParamSelector.NONE)),
                Map.entry("groups", plan.withGroups()), Map.entry("rule", plan.withRule(new Sgd(1))),
                Map.entry("schedule", plan.withSchedule(Schedule.constant())), Map.entry("batch", plan.withBatch(3)),
                Map.entry("seed", plan.withSeed(4)), Map.entry("labelSmoothing", plan.withLabelSmoothing(0.1)),
                Map.entry("clipNorm", plan.withClipNorm(2)), Map.entry("restoreBest", plan.restoreBest(false)),
                Map.entry("augmentation", plan.withAugmentation(false)),
                Map.entry("featureFormat", plan.withFeatureFormat(FeatureFormat.INT8)),
                Map.entry("augmentedCopies", plan.withAugmentedCopies(4)),
                Map.entry("cacheFeatures", plan.withCachedFeatures(false)));
        changed.forEach((name, other) -> assertThat(Stream.of(FineTunePlan.class.getRecordComponents())
                .filter(c -> !part(c, plan).equals(part(c, other))).map(RecordComponent::getName)).containsExactly(name));
    }

    private static Object part(RecordComponent c, FineTunePlan plan) {
        try {
            return c.getAccessor().invoke(plan);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void misuseIsOneSentence() {
        TinyNetwork net = pretrained();
        FineTunePlan plan = FineTunePlan.of(Strategy.FEATURES, net, 1);
        assertThatThrownBy(() -> tuning(net, plan, data(1, 1))).isInstanceOf(GraftException.class)
                .hasMessageContaining("one class only");
        assertThatThrownBy(() -> tuning(net, plan, data(3, 1)).keepHead().run()).isInstanceOf(GraftException.class)
                .hasMessageContaining("7 outputs").hasMessageContaining("3 classes");
        assertThatThrownBy(() -> tuning(net, plan.freeze("*"), data(3, 1)).run()).isInstanceOf(GraftException.class)
                .hasMessageContaining("everything is frozen");
        assertThatThrownBy(() -> tuning(net, plan.freeze("frist"), data(3, 1)).run()).isInstanceOf(GraftException.class)
                .hasMessageContaining("'frist' selects no parameter").hasMessageContaining("first");
        FineTunePlan longer = FineTunePlan.of(Strategy.FEATURES, net, 3);
        assertThatThrownBy(() -> tuning(net, longer.unfreezeAt(2, "secnd"), data(3, 1)).run())
                .isInstanceOf(GraftException.class).hasMessageContaining("unfreeze pattern 'secnd' selects no parameter")
                .hasMessageContaining("second");
        assertThatThrownBy(() -> plan.unfreezeAt(1, "first")).isInstanceOf(GraftException.class)
                .hasMessageContaining("below the 1 epochs");
    }
}
