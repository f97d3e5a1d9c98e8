package dev.graft.nn.data;

import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.tensor.GraftException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Labelled images in folders, one folder per class, as torchvision's {@code ImageFolder} reads them; classes are sorted by
 * name. Either {@code train/<class>/...} and {@code val/<class>/...} (also {@code valid} or {@code validation}, and
 * {@code test}), or the class folders alone. A zip file with such folders is read in place. Broken images are left out and
 * listed in the {@link #report()}.
 */
public final class ImageFolder implements AutoCloseable {
    private static final Set<String> READABLE = Set.of("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif");
    private static final Set<String> UNSUPPORTED = Set.of("webp", "tif", "tiff", "heic", "heif", "avif", "jp2", "ppm",
            "pgm");
    private static final Set<String> TRAIN = Set.of("train", "training");
    private static final Set<String> VALIDATION = Set.of("val", "valid", "validation");
    private static final Set<String> TEST = Set.of("test", "testing");
    private static final double DEFAULT_FRACTION = 0.2;

    /** How closely the images are looked at when a folder is opened. */
    public enum Check {
        /** Not at all. */
        NONE,
        /** First and last bytes, header, size: finds files that are no images, empty or cut off; fast. */
        STRUCTURE,
        /** Every image is decoded once: finds all that is broken, and takes as long as an epoch of decoding. */
        DECODE
    }

    /**
     * How a folder is read.
     *
     * @param check how closely images are looked at when the folder is opened
     * @param strict whether one broken image is an error; otherwise it is left out and listed in the report
     * @param decoder decodes the images, with its limits
     */
    public record Options(Check check, boolean strict, ImageDecoder decoder) {
        /** The structure is checked, broken images are left out. */
        public static final Options DEFAULT = new Options(Check.STRUCTURE, false, ImageDecoder.DEFAULT);

        public Options with(Check newCheck) {
            return new Options(newCheck, strict, decoder);
        }

        public Options failOnBroken() {
            return new Options(check, true, decoder);
        }
    }

    private final Path path;
    private final FileSource source;
    private final Options options;
    private final List<String> classes;
    private final Part train;
    private final Part validation;
    private final Part test;
    private final List<FolderReport.Broken> broken = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();
    private final FolderReport report;

    /** Reads the names below a folder or in a zip file, and checks the images' structure. */
    public static ImageFolder open(Path path) {
        return open(path, Options.DEFAULT);
    }

    public static ImageFolder open(Path path, Options options) {
        FileSource source = FileSource.open(path);
        try {
            return new ImageFolder(path, source, options);
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    private ImageFolder(Path path, FileSource source, Options options) {
        this.path = path;
        this.source = source;
        this.options = options;
        warnings.addAll(source.problems());
        List<String> images = images();
        String base = base(images);
        TreeSet<String> top = children(base);
        String trainFolder = find(top, TRAIN);
        String validationFolder = find(top, VALIDATION);
        String testFolder = find(top, TEST);
        if (trainFolder == null && !top.isEmpty() && top.stream().allMatch(name -> is(name, VALIDATION) || is(name, TEST))) {
            throw new GraftException("Image folder " + path + " has " + top
                    + " but no folder 'train': add train/<class>/ with the training images.");
        }
        String trainBase = trainFolder == null ? base : base + trainFolder + "/";
        classes = List.copyOf(children(trainBase));
        checkClasses(images, trainBase);
        train = part(images, trainBase, true);
        boolean parts = trainFolder != null;
        Part val = parts && validationFolder != null ? part(images, base + validationFolder + "/", false) : null;
        Part held = parts && testFolder != null ? part(images, base + testFolder + "/", false) : null;
        if (val == null && held != null) {
            warnings.add("there is no folder 'val': 'test' serves for validation");
            val = held;
            held = null;
        }
        validation = val;
        test = held;
        report = new FolderReport(path.toString(), classes, train.classCounts(),
                validation == null ? null : validation.classCounts(), test == null ? null : test.classCounts(),
                List.copyOf(broken), List.copyOf(warnings));
    }

    /** The names of the classes, sorted. */
    public List<String> classes() {
        return classes;
    }

    /** The images of {@code train}, or all of them where the folder has no parts. */
    public Dataset train() {
        return train;
    }

    /** The images of {@code val}, if the folder has parts; those of {@code test} where there is no {@code val}. */
    public Optional<Dataset> validation() {
        return Optional.ofNullable(validation);
    }

    /** The images of {@code test}, if there is {@code val} as well. */
    public Optional<Dataset> test() {
        return Optional.ofNullable(test);
    }

    /** The folder's own training and validation parts; without a validation part one image in five is kept, seed 0. */
    public DataSplit split() {
        return validation == null ? DataSplit.stratified(train, DEFAULT_FRACTION, 0) : new DataSplit(train, validation);
    }

    /** Keeps a share of every class for validation. For folders without a validation part of their own. */
    public DataSplit split(double validationFraction, long seed) {
        if (validation != null) {
            throw new GraftException("Image folder " + path + " has its own validation part: call split(), or split only the"
                    + " training part with DataSplit.stratified(folder.train(), " + validationFraction + ", " + seed + ").");
        }
        return DataSplit.stratified(train, validationFraction, seed);
    }

    /** What was found: images per class and part, broken files, warnings. */
    public FolderReport report() {
        return report;
    }

    /** Closes the zip file, if it is one; its images can no longer be read then. */
    @Override
    public void close() {
        source.close();
    }

    @Override
    public String toString() {
        return report.toString();
    }

    private List<String> images() {
        List<String> images = new ArrayList<>();
        int unsupported = 0;
        String example = null;
        for (String file : source.files()) {
            String extension = file.substring(file.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
            if (READABLE.contains(extension)) {
                images.add(file);
            } else if (UNSUPPORTED.contains(extension)) {
                unsupported++;
                example = file;
            }
        }
        if (unsupported > 0) {
            warnings.add(unsupported + " images in formats that are not read (such as " + example
                    + ") are left out: convert them to JPEG or PNG");
        }
        if (images.isEmpty()) {
            throw new GraftException("Image folder " + path + " holds no JPEG, PNG, BMP or GIF images"
                    + (unsupported > 0 ? " (only " + unsupported + " in other formats, such as " + example
                    + "; convert them)" : "")
                    + ": expected <class>/<image> or train/<class>/<image> and val/<class>/<image>.");
        }
        return images;
    }

    /** Steps into wrapping folders: a zip file mostly holds one folder that holds everything. */
    private String base(List<String> images) {
        String base = "";
        while (true) {
            String prefix = base;
            TreeSet<String> names = children(base);
            boolean direct = images.stream().anyMatch(file -> file.startsWith(prefix)
                    && file.indexOf('/', prefix.length()) < 0);
            if (direct || names.size() != 1 || is(names.first(), TRAIN)) {
                return base;
            }
            String inner = base + names.first() + "/";
            if (images.stream().anyMatch(file -> file.startsWith(inner) && file.indexOf('/', inner.length()) < 0)) {
                return base; // images right below: that one folder is a class
            }
            base = inner;
        }
    }

    private TreeSet<String> children(String base) {
        TreeSet<String> names = new TreeSet<>();
        for (String folder : source.folders().tailSet(base)) {
            if (!folder.startsWith(base)) {
                break;
            }
            if (folder.indexOf('/', base.length()) < 0) {
                names.add(folder.substring(base.length()));
            }
        }
        return names;
    }

    private static boolean is(String name, Set<String> names) {
        return names.contains(name.toLowerCase(Locale.ROOT));
    }

    private static String find(TreeSet<String> folders, Set<String> names) {
        return folders.stream().filter(name -> is(name, names)).findFirst().orElse(null);
    }

    private void checkClasses(List<String> images, String base) {
        if (classes.isEmpty()) {
            throw new GraftException("Image folder " + source.describe(base)
                    + " has images but no folders in it, so there are no"
                    + " classes: put the images of each class into a folder named after it.");
        }
        if (classes.size() == 1) {
            throw new GraftException("Image folder " + source.describe(base) + " has only one class, '" + classes.getFirst()
                    + "': at least two folders of images are needed to tell classes apart.");
        }
    }

    /** The readable images of one part. */
    private Part part(List<String> images, String base, boolean isTrain) {
        List<String> files = new ArrayList<>();
        int stray = 0;
        for (String file : images) {
            if (!file.startsWith(base)) {
                continue;
            }
            int slash = file.indexOf('/', base.length());
            if (slash < 0) {
                stray++;
            } else if (!classes.contains(file.substring(base.length(), slash))) {
                throw new GraftException("Image folder " + source.describe(base) + " has the class '"
                        + file.substring(base.length(), slash) + "', which the training images do not have (" + classes
                        + "): add it there or remove it here.");
            } else {
                files.add(file);
            }
        }
        if (stray > 0) {
            warnings.add(stray + " images lie in " + source.describe(base) + " outside of class folders and are left out");
        }
        List<String> good = readable(files);
        String[] names = good.toArray(String[]::new);
        int[] labels = new int[names.length];
        for (int i = 0; i < names.length; i++) {
            labels[i] = classes.indexOf(names[i].substring(base.length(), names[i].indexOf('/', base.length())));
        }
        Part part = new Part(names, labels);
        int[] counts = part.classCounts();
        for (int c = 0; c < counts.length; c++) {
            if (counts[c] == 0 && isTrain) {
                throw new GraftException("Class folder " + source.describe(base + classes.get(c))
                        + " holds no readable image"
                        + (broken.isEmpty() ? "" : " (" + broken.size() + " are broken, the first: " + broken.getFirst()
                        + ")") + ": add images or remove the folder.");
            }
            if (counts[c] == 0) {
                warnings.add("class '" + classes.get(c) + "' has no images in " + source.describe(base));
            }
        }
        return part;
    }

    private List<String> readable(List<String> files) {
        if (options.check() == Check.NONE) {
            return files;
        }
        String[] problems = new String[files.size()];
        IntStream.range(0, files.size()).parallel().forEach(i -> problems[i] = problem(files.get(i)));
        List<String> good = new ArrayList<>();
        for (int i = 0; i < problems.length; i++) {
            if (problems[i] == null) {
                good.add(files.get(i));
            } else if (options.strict()) {
                throw new GraftException(problems[i]);
            } else {
                broken.add(new FolderReport.Broken(files.get(i), problems[i]));
            }
        }
        return good;
    }

    private String problem(String file) {
        try {
            byte[] data = source.read(file, options.decoder().maxBytes());
            if (options.check() == Check.DECODE) {
                options.decoder().decode(data, source.describe(file));
            } else {
                options.decoder().check(data, source.describe(file));
            }
            return null;
        } catch (GraftException e) {
            return e.getMessage();
        }
    }

    /** The images of one part, decoded when asked for. */
    private final class Part implements Dataset {
        private final String[] files;
        private final int[] labels;

        Part(String[] files, int[] labels) {
            this.files = files;
            this.labels = labels;
        }

        @Override
        public int size() {
            return files.length;
        }

        @Override
        public List<String> classes() {
            return classes;
        }

        @Override
        public int label(int i) {
            return labels[i];
        }

        @Override
        public RgbImage image(int i) {
            return options.decoder().decode(source.read(files[i], options.decoder().maxBytes()), name(i));
        }

        @Override
        public String name(int i) {
            return source.describe(files[i]);
        }

        @Override
        public String key(int i) {
            return source.key(files[i]);
        }

        @Override
        public String toString() {
            return "ImageFolder[" + path + ", " + files.length + " images, classes " + classes + "]";
        }
    }
}
