package dev.graft.pretrained.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A run of bytes in a weight file that one or more tensors are views of. Safe to read from several threads. */
interface Storage {
    long bytes();

    /** The bytes {@code from} to {@code from + length}, which the caller has checked against {@link #bytes}. */
    MemorySegment range(long from, long length) throws IOException;

    /** Bytes that stand in memory already, such as an array inside a pickle. */
    record InMemory(byte[] data) implements Storage {
        @Override
        public long bytes() {
            return data.length;
        }

        @Override
        public MemorySegment range(long from, long length) {
            return MemorySegment.ofArray(data).asSlice(from, length);
        }
    }

    /** A part of an open file, read with positioned reads. */
    record InFile(FileBytes file, long start, long bytes) implements Storage {
        @Override
        public MemorySegment range(long from, long length) throws IOException {
            return MemorySegment.ofArray(file.read(start + from, length));
        }
    }
}
