package dev.graft.cli;

import dev.graft.cli.report.RunFiles;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.ImageFolder;
import dev.graft.nn.io.AtomicFile;
import dev.graft.nn.train.TrainingCheckpoint;
import dev.graft.nn.transfer.FeatureCache;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.nn.transfer.FineTuneResult;
import dev.graft.nn.transfer.FineTuning;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.nn.transfer.Strategy;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import dev.graft.pretrained.ZooModel;
import dev.graft.tensor.Device;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/** One fine-tuning run and its folder, begun or gone on with. */
final class FineTuneRun implements AutoCloseable {
    private static final String CHECKPOINTS = "checkpoints";

    private final RunConfig config;
    private final FineTunePlan plan;
    private final ImageFolder images;
    private final DataSplit data;
    private final PretrainedModel model;
    private final TrainingCheckpoint checkpoint;
    private final FineTuning tuning;
    private final Path folder;
    private final PrintWriter to;

    /**
     * What a new run is to be made of.
     *
     * @param model   with its options
     * @param weights or null
     * @param workers or null for the loader's default
     */
    record Request(ZooModel model, Path weights, Path data, double valFraction, int threads, Integer workers, boolean cache,
                   Device device) {
        RunConfig resolved(PretrainedModel m) {
            return new RunConfig(m.name(), m.options(), weights == null ? null : absolute(weights), m.preprocessing(),
                    absolute(data), valFraction, threads, workers, cache);
        }

        private static String absolute(Path p) {
            return p.toAbsolutePath().normalize().toString();
        }
    }

    private FineTuneRun(RunConfig config, FineTunePlan plan, ImageFolder images, DataSplit data, PretrainedModel model,
                        TrainingCheckpoint checkpoint, Integer workers, Path folder, PrintWriter to) {
        this.config = config;
        this.plan = plan;
        this.images = images;
        this.data = data;
        this.model = model;
        this.checkpoint = checkpoint;
        this.tuning = new FineTuning(model.network(), plan, data, model.preprocessing().training(),
                model.preprocessing().evaluation());
        if (workers != null) {
            tuning.workers(workers);
        }
        this.folder = folder;
        this.to = to;
    }

    /** Checks everything that can be checked, then makes {@code folder} with what {@link #resume} needs. */
    static FineTuneRun begin(Request request, Recipe recipe, Path folder, PrintWriter to) throws IOException {
        Threads.apply(request.threads());
        ImageFolder images = open(request.data(), to);
        PretrainedModel model = null;
        try {
            DataSplit data = split(images, request.valFraction());
            model = recipe.strategy() == Strategy.SCRATCH ? request.model().random(data.classes())
                    : ModelArguments.load(request.model(), request.weights());
            to.println(model);
            model.to(request.device());
            FineTunePlan plan = recipe.plan(model.network());
            RunConfig config = request.resolved(model);
            FineTuneRun run = new FineTuneRun(config, plan, images, data, model, null, request.workers(),
                    folder, to);
            run.tuning.prepare();
            OutputFolder.create(folder);
            config.write(folder);
            AtomicFile.writeText(folder.resolve(RunFiles.PLAN), plan.toJson() + "\n");
            return run;
        } catch (IOException | RuntimeException e) {
            close(images, model);
            throw e;
        }
    }

    /** Goes on with the run in {@code folder} from its newest intact checkpoint; from the start when there is none yet. */
    static FineTuneRun resume(Path folder, Device device, int threads, Integer workers, PrintWriter to) throws IOException {
        RunConfig config = RunConfig.read(folder);
        FineTunePlan plan = FineTunePlan.fromJson(Files.readString(folder.resolve(RunFiles.PLAN)));
        Threads.apply(threads > 0 ? threads : config.threads());
        ImageFolder images = open(Path.of(config.data()), to);
        PretrainedModel model = null;
        TrainingCheckpoint checkpoint = null;
        try {
            DataSplit data = split(images, config.valFraction());
            Path checkpoints = folder.resolve(CHECKPOINTS);
            checkpoint = TrainingCheckpoint.find(checkpoints).isPresent() ? TrainingCheckpoint.latest(checkpoints) : null;
            ZooModel zoo = ModelZoo.find(config.model()).options(config.options());
            model = (checkpoint != null || plan.randomWeights() ? zoo.random(data.classes())
                    : ModelArguments.load(zoo, config.weights() == null ? null : Path.of(config.weights())))
                    .withPreprocessing(config.preprocessing());
            model.to(device);
            to.println(checkpoint == null ? "Resuming " + folder + ": there is no checkpoint yet, so it begins again"
                    : "Resuming " + folder + " after epoch " + checkpoint.state().epoch() + " of " + plan.epochs());
            return new FineTuneRun(config, plan, images, data, model, checkpoint,
                    workers != null ? workers : config.workers(), folder, to);
        } catch (RuntimeException e) {
            if (checkpoint != null) {
                checkpoint.close();
            }
            close(images, model);
            throw e;
        }
    }

    private static ImageFolder open(Path data, PrintWriter to) {
        ImageFolder images = ImageFolder.open(data);
        to.println(images.report());
        return images;
    }

    /** Without a validation part the same images are kept for every seed, so that runs can be compared. */
    private static DataSplit split(ImageFolder images, double fraction) {
        return images.validation().isPresent() ? images.split() : images.split(fraction, 0);
    }

    /** Trains, and writes the results. */
    void execute() throws IOException {
        StagedNetwork net = model.network();
        tuning.cache(config.cache() ? FeatureCache.standard() : null).checkpoints(folder.resolve(CHECKPOINTS)).progress(true)
                .on(new EpochLines(to, plan.epochs())).onNote(n -> to.println(n)).prepare();
        to.println();
        to.print(plan.describe(net));
        to.println();
        to.flush();
        if (checkpoint != null) {
            tuning.resume(checkpoint);
        }
        FineTuneResult result = tuning.run();
        new RunResults(config, plan, data, model.withLabels(data.classes()), result).write(folder, to);
    }

    private static void close(ImageFolder images, PretrainedModel model) {
        images.close();
        if (model != null) {
            model.close();
        }
    }

    @Override
    public void close() {
        if (checkpoint != null) {
            checkpoint.close();
        }
        close(images, model);
    }
}
