package dev.graft.pretrained.format;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.zip.ZipException;

/** A file's first bytes, from which formats recognise their own; the extension is never looked at. */
final class FileHead {
    private static final int LENGTH = 512;

    final Path file;
    private final byte[] bytes;
    private List<String> zipNames;

    private FileHead(Path file, byte[] bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    static FileHead of(Path file) throws IOException {
        try (FileBytes in = new FileBytes(file)) {
            return new FileHead(file, in.read(0, Math.min(LENGTH, in.size())));
        }
    }

    /** The byte at {@code at} as 0 to 255, or -1 beyond the end. */
    int at(int at) {
        return at < bytes.length ? bytes[at] & 0xff : -1;
    }

    boolean startsWith(int... start) {
        return has(0, start);
    }

    boolean has(int at, int... expected) {
        for (int i = 0; i < expected.length; i++) {
            if (at(at + i) != expected[i]) {
                return false;
            }
        }
        return true;
    }

    /** The names in a zip archive; none when this is no zip archive or its directory is missing. */
    List<String> zipNames() throws IOException {
        if (zipNames == null) {
            zipNames = List.of();
            if (startsWith('P', 'K')) {
                try (Archive archive = new Archive(file)) {
                    zipNames = archive.names();
                } catch (ZipException e) {
                    // describe() says so
                }
            }
        }
        return zipNames;
    }

    /** What a file is that no format recognises, with the fix: most are failed downloads. */
    String describe() {
        String text = new String(bytes, StandardCharsets.ISO_8859_1).strip().toLowerCase(Locale.ROOT);
        if (bytes.length == 0) {
            return "the file is empty; fetch it again";
        }
        if (text.startsWith("<!doctype") || text.startsWith("<html") || text.startsWith("<?xml")) {
            return "this is a web page, not a weight file: the download failed or needs a login; fetch it again";
        }
        if (text.startsWith("version https://git-lfs")) {
            return "this is a Git LFS pointer, not the weights; run 'git lfs pull'";
        }
        if (startsWith(0x1f, 0x8b)) {
            return "this is a gzip file; unpack it first";
        }
        if (text.length() > 262 && text.startsWith("ustar", 257)) {
            return "this is a tar archive (PyTorch before 0.1.10 wrote these); load it in PyTorch and save its state_dict"
                    + " again";
        }
        if (startsWith('G', 'G', 'U', 'F')) {
            return "this is a GGUF file of quantised weights, which Graft does not read; use the safetensors of the same"
                    + " model";
        }
        if (startsWith('P', 'K')) {
            return "this zip archive has neither a data.pkl (PyTorch) nor .npy entries (NumPy), or its directory at the end"
                    + " is cut off; fetch or save it again";
        }
        StringBuilder names = new StringBuilder();
        for (WeightFormat format : WeightFormat.ALL) {
            names.append(names.isEmpty() ? "" : ", ").append(format.name());
        }
        return "the first bytes " + HexFormat.ofDelimiter(" ").formatHex(bytes, 0, Math.min(8, bytes.length))
                + " belong to no weight format that Graft reads (" + names + "); convert the file to safetensors";
    }
}
