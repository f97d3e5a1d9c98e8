package dev.graft.nn.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.nn.Module;
import dev.graft.nn.io.TensorFile;
import dev.graft.nn.optim.OptimizerState;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Update;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * All that a run needs to go on with the same bits, in one safetensors file: the model under its own names, the
 * optimizer's tensors as {@code optimizer/slot/path}, the best epoch's values as {@code best/path}, and the
 * {@link TrainingState} as metadata {@code graft.training}. Files are named {@code checkpoint-STEP.safetensors}.
 */
public final class TrainingCheckpoint implements AutoCloseable {
    private static final String OPTIMIZER = "optimizer/";
    private static final String BEST = "best/";
    private static final String STATE = "graft.training";
    private static final Pattern NAME = Pattern.compile("checkpoint-(\\d{1,18})\\.safetensors");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final System.Logger LOG = System.getLogger(TrainingCheckpoint.class.getName());

    private final Path file;
    private final TensorFile content;
    private final TrainingState state;

    private TrainingCheckpoint(Path file, TensorFile content, TrainingState state) {
        this.file = file;
        this.content = content;
        this.state = state;
    }

    /** Writes a checkpoint atomically and then deletes those beyond the {@code keep} newest. */
    static Path save(Path folder, int keep, Module model, OptimizerState optimizer, Map<String, Tensor> best,
            TrainingState state) {
        Map<String, Tensor> all = new LinkedHashMap<>(values(model));
        optimizer.tensors().forEach((name, t) -> all.put(OPTIMIZER + name, t));
        best.forEach((path, t) -> all.put(BEST + path, t));
        Path file = folder.resolve("checkpoint-%06d.safetensors".formatted(state.step()));
        try {
            TensorFile.write(file, all, Map.of(STATE, JSON.writeValueAsString(state)));
        } catch (JsonProcessingException e) {
            throw new GraftException("checkpoint: the training state could not be turned into JSON: " + e.getMessage(), e);
        } catch (GraftException e) {
            throw new GraftException(e.getMessage()
                    + find(folder).map(p -> "; the run can be resumed from " + p).orElse(""), e);
        }
        List<Path> old = list(folder).stream().filter(p -> step(p) < state.step()).toList();
        for (Path p : old.subList(Math.min(old.size(), keep - 1), old.size())) {
            try {
                Files.deleteIfExists(p);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "old checkpoint " + p + " could not be deleted: " + e.getMessage());
            }
        }
        return file;
    }

    /**
     * Reads a checkpoint and checks it. Close it when the trainer has taken it.
     *
     * @throws GraftException when it is missing, damaged, or no checkpoint
     */
    public static TrainingCheckpoint read(Path file) {
        TensorFile content = TensorFile.read(file);
        try {
            String json = content.metadata().get(STATE);
            if (json == null) {
                throw new GraftException(file + " is no checkpoint of a training: it has no " + STATE);
            }
            TrainingState state = JSON.readValue(json, TrainingState.class);
            if (state.version() < TrainingState.OLDEST || state.version() > TrainingState.VERSION) {
                throw new GraftException(file + " has version " + state.version() + " of the format, this program reads "
                        + TrainingState.VERSION + ": use the version of Graft that wrote it");
            }
            return new TrainingCheckpoint(file, content, state);
        } catch (JsonProcessingException e) {
            content.close();
            throw new GraftException(file + " is damaged: its training state cannot be read: " + e.getOriginalMessage(), e);
        } catch (RuntimeException e) {
            content.close();
            throw e;
        }
    }

    /**
     * The newest checkpoint in {@code folder}; when it is damaged, the one before it, with a warning.
     *
     * @throws GraftException when there is none, or none can be read
     */
    public static TrainingCheckpoint latest(Path folder) {
        GraftException first = null;
        for (Path p : list(folder)) {
            try {
                TrainingCheckpoint c = read(p);
                if (first != null) {
                    LOG.log(Level.WARNING, first.getMessage() + "; going on from " + p);
                }
                return c;
            } catch (GraftException e) {
                first = first == null ? e : first;
            }
        }
        throw first != null ? first : new GraftException(folder + " has no checkpoint-*.safetensors to resume from");
    }

    /** The newest checkpoint's file, unread. */
    public static Optional<Path> find(Path folder) {
        return list(folder).stream().findFirst();
    }

    /** Newest first. */
    private static List<Path> list(Path folder) {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
                all.forEach(found::add);
            } catch (IOException e) {
                throw new GraftException(folder + " could not be listed: " + e.getMessage(), e);
            }
        }
        return found.stream().filter(p -> step(p) >= 0 && Files.isRegularFile(p))
                .sorted(Comparator.comparingLong(TrainingCheckpoint::step).reversed()).toList();
    }

    private static long step(Path p) {
        Matcher m = NAME.matcher(p.getFileName().toString());
        return m.matches() ? Long.parseLong(m.group(1)) : -1;
    }

    public Path file() {
        return file;
    }

    public TrainingState state() {
        return state;
    }

    /** The JSON given in {@link TrainOptions#plan}. */
    public String plan() {
        return state.plan();
    }

    /** The model's parameters and buffers by path. */
    public Map<String, Tensor> model() {
        Map<String, Tensor> out = new LinkedHashMap<>();
        content.tensors().forEach((name, t) -> {
            if (name.indexOf('/') < 0) {
                out.put(name, t);
            }
        });
        return out;
    }

    OptimizerState optimizer() {
        return new OptimizerState(under(OPTIMIZER), state.steps());
    }

    /** Values of the best epoch by path, of what had been trained by then; empty without early stopping. */
    public Map<String, Tensor> best() {
        return under(BEST);
    }

    private Map<String, Tensor> under(String prefix) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        content.tensors().forEach((name, t) -> {
            if (name.startsWith(prefix)) {
                out.put(name.substring(prefix.length()), t);
            }
        });
        return out;
    }

    /** Copies the saved parameters and buffers into {@code model}. Nothing changes when they do not fit. */
    public void loadInto(Module model) {
        Map<String, Tensor> to = values(model);
        Map<String, Tensor> from = model();
        for (Map.Entry<String, Tensor> e : to.entrySet()) {
            Tensor t = from.get(e.getKey());
            if (t == null || !t.spec().equals(e.getValue().spec())) {
                throw new GraftException(file + " was saved by another model: '" + e.getKey() + "' is "
                        + e.getValue().spec() + " here and " + (t == null ? "missing" : t.spec()) + " there");
            }
        }
        from.keySet().stream().filter(name -> !to.containsKey(name)).findFirst().ifPresent(name -> {
            throw new GraftException(file + " was saved by another model: this one has no '" + name + "'");
        });
        for (Map.Entry<String, Tensor> e : to.entrySet()) {
            Tensor t = from.get(e.getKey());
            if (t.device().equals(e.getValue().device())) {
                Dispatcher.update(new Update.Assign(), e.getValue(), t);
            } else {
                e.getValue().write(t.toArray());
            }
        }
    }

    /** All parameters and buffers of {@code model} by path, not copies. */
    static Map<String, Tensor> values(Module model) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        model.parameters().forEach((path, p) -> out.put(path, p.value()));
        model.buffers().forEach((path, b) -> out.put(path, b.value()));
        return out;
    }

    static Tensor copyTo(Device device, Tensor t) {
        return t.device().equals(device) ? t.copy() : t.to(device);
    }

    @Override
    public void close() {
        content.close();
    }
}
