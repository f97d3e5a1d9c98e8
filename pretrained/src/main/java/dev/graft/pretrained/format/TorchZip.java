package dev.graft.pretrained.format;

import dev.graft.pretrained.format.PyValue.TorchStorage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * {@code torch.save} since PyTorch 1.6: a zip archive with {@code <name>/data.pkl} and each storage in
 * {@code <name>/data/<key>}.
 */
final class TorchZip implements WeightFormat {
    private static final String PICKLE = "data.pkl";
    private static final int MAX_PICKLE = 64 << 20;

    @Override
    public String name() {
        return "torch-zip";
    }

    @Override
    public boolean recognises(FileHead head) throws IOException {
        return pickle(head.zipNames()) != null;
    }

    private static String pickle(List<String> names) {
        return names.stream()
                .filter(n -> n.equals(PICKLE) || n.endsWith("/" + PICKLE) && n.indexOf('/') == n.lastIndexOf('/'))
                .findFirst().orElse(null);
    }

    @Override
    public Contents open(Path path, Resources resources) throws IOException {
        Refusal refusal = new Refusal(path);
        Archive archive = resources.add(new Archive(path));
        String pickle = pickle(archive.names());
        if (pickle == null) {
            throw refusal.damaged("the zip archive lost its data.pkl while it was opened");
        }
        String folder = pickle.substring(0, pickle.length() - PICKLE.length());
        PickleInput in = PickleInput.of(refusal, archive.entry(pickle).all(MAX_PICKLE));
        Object root = PickleMachine.load(refusal, in, id -> PickleTree.storage(refusal, id));
        Contents contents = new Contents(refusal);
        new PickleTree(refusal, contents, s -> storage(refusal, archive, folder, s), bigEndian(refusal, archive, folder))
                .flatten(root);
        return contents;
    }

    private static Storage storage(Refusal refusal, Archive archive, String folder, TorchStorage s) {
        Archive.Entry entry = archive.entry(folder + "data/" + s.key());
        if (entry == null) {
            throw refusal.damaged("storage " + Refusal.quote(s.key()) + " is missing from the zip archive");
        }
        if (entry.check().bytes() < s.whole()) {
            throw refusal.damaged("storage " + Refusal.quote(s.key()) + " claims " + s.whole()
                    + " bytes but the archive has " + entry.bytes());
        }
        return entry;
    }

    private static boolean bigEndian(Refusal refusal, Archive archive, String folder) throws IOException {
        Archive.Entry entry = archive.entry(folder + "byteorder");
        String order = entry == null ? "little" : new String(entry.all(64), StandardCharsets.US_ASCII).strip();
        return switch (order) {
            case "little" -> false;
            case "big" -> true;
            default -> throw refusal.damaged("the archive's byteorder is " + Refusal.quote(order));
        };
    }
}
