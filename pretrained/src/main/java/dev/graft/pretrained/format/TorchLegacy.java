package dev.graft.pretrained.format;

import dev.graft.pretrained.format.PyValue.TorchStorage;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code torch.save} before PyTorch 1.6: five pickles (magic number, protocol, system, the object, the storages' keys),
 * then each storage as its number of elements in 8 bytes and the elements, little-endian whatever the machine was. A single
 * pickle without the magic number is read too: dicts of numpy arrays are saved so.
 */
final class TorchLegacy implements WeightFormat {
    private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
    private static final long PROTOCOL = 1001;

    @Override
    public String name() {
        return "torch-legacy";
    }

    /** PROTO and its version. */
    @Override
    public boolean recognises(FileHead head) {
        return head.at(0) == 0x80 && head.at(1) >= 1;
    }

    @Override
    public Contents open(Path path, Resources resources) throws IOException {
        Refusal refusal = new Refusal(path);
        FileBytes file = resources.add(new FileBytes(path));
        PickleInput in = PickleInput.of(refusal, file);
        Contents contents = new Contents(refusal);
        Object magic = PickleMachine.load(refusal, in, id -> noStorage(refusal));
        if (!MAGIC.equals(magic)) {
            new PickleTree(refusal, contents, s -> noStorage(refusal), false).flatten(magic);
            return contents;
        }
        Object protocol = PickleMachine.load(refusal, in, id -> noStorage(refusal));
        if (!Long.valueOf(PROTOCOL).equals(protocol)) {
            throw refusal.damaged("the PyTorch protocol is not " + PROTOCOL + " but " + PickleGlobals.kind(protocol));
        }
        PickleMachine.load(refusal, in, id -> noStorage(refusal)); // the machine it was saved on
        Map<String, TorchStorage> claimed = new HashMap<>();
        Object root = PickleMachine.load(refusal, in, id -> {
            TorchStorage s = PickleTree.storage(refusal, id);
            TorchStorage earlier = claimed.putIfAbsent(s.key(), s);
            if (earlier != null && (earlier.whole() != s.whole() || earlier.type().width() != s.type().width())) {
                throw refusal.damaged("storage " + Refusal.quote(s.key()) + " has two sizes, " + earlier.whole() + " and "
                        + s.whole() + " bytes");
            }
            return s;
        });
        Object keys = PickleMachine.load(refusal, in, id -> noStorage(refusal));
        Map<String, Storage> storages = storages(refusal, file, in.position(), keys, claimed);
        new PickleTree(refusal, contents, s -> {
            Storage found = storages.get(s.key());
            if (found == null) {
                throw refusal.damaged("storage " + Refusal.quote(s.key()) + " is not in the file");
            }
            return found;
        }, false).flatten(root);
        return contents;
    }

    private static Storage noStorage(Refusal refusal) {
        throw refusal.damaged("a pickle refers to a storage where there is none");
    }

    private static Map<String, Storage> storages(Refusal refusal, FileBytes file, long at, Object keys,
                                                 Map<String, TorchStorage> claimed) throws IOException {
        if (!(keys instanceof List<?> list)) {
            throw refusal.damaged("the list of storages is a " + PickleGlobals.kind(keys));
        }
        Map<String, Storage> storages = new HashMap<>();
        for (Object k : list) {
            String key = k instanceof String || k instanceof Long ? PyValue.text(k) : null;
            TorchStorage s = claimed.get(key);
            if (s == null) {
                throw refusal.damaged("the list of storages has a " + PickleGlobals.kind(k) + " that no tensor uses");
            }
            long elements = ByteBuffer.wrap(file.read(at, 8)).order(ByteOrder.LITTLE_ENDIAN).getLong();
            at += 8;
            if (elements != s.whole() / s.type().width() || s.whole() > file.size() - at) {
                throw refusal.damaged("storage " + Refusal.quote(key) + " has " + elements + " elements with "
                        + (file.size() - at) + " bytes left in the file, but its tensors need " + s.whole() + " bytes");
            }
            if (storages.put(key, new Storage.InFile(file, at, s.whole())) != null) {
                throw refusal.damaged("storage " + Refusal.quote(key) + " is listed twice");
            }
            at += s.whole();
        }
        return storages;
    }
}
