package dev.graft.pretrained.format;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** An open file with positioned reads. Nothing is allocated before the length is compared with the file's size. */
final class FileBytes implements Closeable {
    /** The largest array that every JVM allocates. */
    static final int MAX_ARRAY = Integer.MAX_VALUE - 8;

    private final Refusal refusal;
    private final FileChannel channel;
    private final long size;

    FileBytes(Path file) throws IOException {
        this.refusal = new Refusal(file);
        this.channel = FileChannel.open(file, StandardOpenOption.READ);
        this.size = channel.size();
    }

    /** The size the file had when it was opened. */
    long size() {
        return size;
    }

    FileChannel channel() {
        return channel;
    }

    /** Throws when the file is shorter now than when it was opened. */
    void checkNotShortened() throws IOException {
        long now = channel.size();
        if (now < size) {
            throw refusal.refused("the file shrank from " + size + " to " + now + " bytes while it was open",
                    "do not rewrite weight files in place, replace them");
        }
    }

    byte[] read(long from, long length) throws IOException {
        if (from < 0 || length < 0 || length > size - from) {
            throw refusal.damaged(length + " bytes are expected at offset " + from + " but the file has " + size);
        }
        if (length > MAX_ARRAY) {
            throw refusal.refused(length + " bytes are too many for one Java array",
                    "save the weights as safetensors, which are mapped instead of copied");
        }
        checkNotShortened();
        byte[] bytes = new byte[(int) length];
        if (read(from, bytes) < bytes.length) {
            checkNotShortened();
        }
        return bytes;
    }

    /** Reads at most {@code to.length} bytes at {@code from}; returns how many there were. */
    int read(long from, byte[] to) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(to);
        while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) > 0) {
            // a positioned read may give less than asked for
        }
        return buffer.position();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
