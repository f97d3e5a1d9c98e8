package dev.graft.pretrained.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** NumPy's .npz: a zip archive of .npy entries, stored or deflated. */
final class Npz implements WeightFormat {
    private static final String SUFFIX = ".npy";

    @Override
    public String name() {
        return "npz";
    }

    @Override
    public boolean recognises(FileHead head) throws IOException {
        return head.zipNames().stream().anyMatch(n -> n.endsWith(SUFFIX));
    }

    @Override
    public Contents open(Path path, Resources resources) throws IOException {
        Refusal refusal = new Refusal(path);
        Archive archive = resources.add(new Archive(path));
        Contents contents = new Contents(refusal);
        for (String file : archive.names()) {
            if (!file.endsWith(SUFFIX)) {
                contents.metadata.put(file, archive.entry(file).bytes() + " bytes");
                continue;
            }
            String name = file.substring(0, file.length() - SUFFIX.length());
            Archive.Entry entry = archive.entry(file);
            Npy.Header header = Npy.header(refusal, name, entry.start(Npy.MAX_HEADER));
            if (header.type() == null) {
                contents.addUnreadable(name, "NumPy type " + Refusal.quote(header.descr()) + " is none that Graft reads");
            } else {
                contents.add(name, Npy.tensor(refusal, name, header, new AfterHeader(entry, header.dataStart())));
            }
        }
        return contents;
    }

    private record AfterHeader(Archive.Entry entry, int start) implements Storage {
        @Override
        public long bytes() {
            return entry.bytes() - start;
        }

        @Override
        public MemorySegment range(long from, long length) throws IOException {
            return entry.range(start + from, length);
        }
    }
}
