package dev.graft.pretrained.format;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** One kind of weight file. A new format implements this and joins {@link #ALL}. */
interface WeightFormat {
    /**
     * Every format, in the order in which they are asked whether a file is theirs. A safetensors file begins with the length
     * of its header, whose low byte may be the one a pickle begins with, so it is asked before.
     */
    List<WeightFormat> ALL = List.of(new TorchZip(), new Npz(), new Npy(), new Safetensors(), new TorchLegacy());

    /** As users write it, such as {@code safetensors}. */
    String name();

    /** Whether the file's first bytes say that it is this format; a damaged file of the format is still recognised. */
    boolean recognises(FileHead head) throws IOException;

    /** Lists the file's tensors with all bounds checked. What must be closed later is added to {@code resources}. */
    Contents open(Path file, Resources resources) throws IOException;
}
