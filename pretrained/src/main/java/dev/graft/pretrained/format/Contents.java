package dev.graft.pretrained.format;

import java.util.LinkedHashMap;
import java.util.Map;

/** What a format found in a file: tensors and metadata in the file's order, and tensors it can name but not read. */
final class Contents {
    private final Refusal refusal;
    final Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    /** Name to the reason. */
    final Map<String, String> unreadable = new LinkedHashMap<>();
    final Map<String, String> metadata = new LinkedHashMap<>();

    Contents(Refusal refusal) {
        this.refusal = refusal;
    }

    void add(String name, StoredTensor tensor) {
        checkNew(name);
        tensors.put(name, tensor);
    }

    void addUnreadable(String name, String reason) {
        checkNew(name);
        unreadable.put(name, reason);
    }

    private void checkNew(String name) {
        if (tensors.containsKey(name) || unreadable.containsKey(name)) {
            throw refusal.refused("two tensors are named " + Refusal.quote(name), "give every tensor its own name");
        }
    }
}
