package dev.graft.pretrained.format;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** NumPy's .npy: magic, version, a Python dict literal with descr, fortran_order and shape, data (NEP 1). */
final class Npy implements WeightFormat {
    /** Longest header that is read; NumPy itself warns above 10,000 bytes. */
    static final int MAX_HEADER = 1 << 16;

    private static final Map<String, ElementType> TYPES = Map.ofEntries(
            Map.entry("b1", ElementType.BOOL), Map.entry("i1", ElementType.I8), Map.entry("i2", ElementType.I16),
            Map.entry("i4", ElementType.I32), Map.entry("i8", ElementType.I64), Map.entry("u1", ElementType.U8),
            Map.entry("u2", ElementType.U16), Map.entry("u4", ElementType.U32), Map.entry("u8", ElementType.U64),
            Map.entry("f2", ElementType.F16), Map.entry("f4", ElementType.F32), Map.entry("f8", ElementType.F64));
    private static final Pattern DESCR = Pattern.compile("'descr'\\s*:\\s*(?:'([^']{1,40})'|(\\[))");
    private static final Pattern ORDER = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
    private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([0-9L,\\s]{0,2000})\\)");

    /** A header: the data starts at {@code dataStart}; {@code type} is null when Graft cannot read {@code descr}. */
    record Header(String descr, ElementType type, boolean bigEndian, boolean fortranOrder, long[] dims, int dataStart) {
    }

    @Override
    public String name() {
        return "npy";
    }

    @Override
    public boolean recognises(FileHead head) {
        return head.startsWith(0x93, 'N', 'U', 'M', 'P', 'Y');
    }

    @Override
    public Contents open(Path path, Resources resources) throws IOException {
        Refusal refusal = new Refusal(path);
        FileBytes file = resources.add(new FileBytes(path));
        Contents contents = new Contents(refusal);
        Header header = header(refusal, "", file.read(0, Math.min(file.size(), MAX_HEADER)));
        if (header.type == null) {
            throw refusal.refused("the array's type " + Refusal.quote(header.descr) + " is none that Graft reads",
                    "save it as a numeric type (array.astype('float32'))");
        }
        long bytes = file.size() - header.dataStart;
        contents.add("", tensor(refusal, "", header, new Storage.InFile(file, header.dataStart, bytes)));
        return contents;
    }

    /** The array that {@code header} describes in {@code data}, which it must fill exactly. */
    static StoredTensor tensor(Refusal refusal, String name, Header header, Storage data) {
        var shape = refusal.shape(name, header.dims);
        long expected = shape.size() * header.type.bytes();
        if (data.bytes() != expected) {
            throw refusal.damaged("array " + Refusal.quote(name) + " of '" + header.descr + "' " + shape + " needs "
                    + expected + " bytes but " + data.bytes() + " follow its header");
        }
        long[] strides = shape.strides();
        if (header.fortranOrder) {
            long n = 1;
            for (int i = 0; i < strides.length; i++) {
                strides[i] = n;
                n *= shape.dim(i);
            }
        }
        return StoredTensor.of(refusal, name, header.type, header.bigEndian, data, 0, shape, strides);
    }

    static Header header(Refusal refusal, String name, byte[] start) {
        String what = "the npy header" + (name.isEmpty() ? "" : " of " + Refusal.quote(name));
        if (start.length < 12 || start[0] != (byte) 0x93 || start[1] != 'N' || start[5] != 'Y') {
            throw refusal.damaged(what + " is cut off or has no magic number");
        }
        int major = start[6];
        int lengthBytes = major == 1 ? 2 : 4;
        if (major < 1 || major > 3) {
            throw refusal.damaged(what + " has version " + major + ", not 1 to 3");
        }
        long length = 0;
        for (int i = lengthBytes - 1; i >= 0; i--) {
            length = length << 8 | start[8 + i] & 0xff;
        }
        int at = 8 + lengthBytes;
        if (length > start.length - at) {
            throw refusal.damaged(what + " claims " + length + " bytes, more than the file or the limit of " + MAX_HEADER
                    + " has");
        }
        String text = new String(start, at, (int) length, major == 3 ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1);
        Matcher descr = DESCR.matcher(text);
        Matcher order = ORDER.matcher(text);
        if (!descr.find() || !order.find()) {
            throw refusal.damaged(what + " lacks descr or fortran_order: " + Refusal.quote(text.strip()));
        }
        if (descr.group(1) == null) {
            return new Header("structured", null, false, false, new long[0], at + (int) length);
        }
        Matcher shape = SHAPE.matcher(text);
        if (!shape.find()) {
            throw refusal.damaged(what + " lacks a shape: " + Refusal.quote(text.strip()));
        }
        String type = descr.group(1);
        return new Header(type, type(type), type.charAt(0) == '>', order.group(1).equals("True"),
                dims(refusal, what, shape.group(1)), at + (int) length);
    }

    /** The element type of NumPy's type string such as {@code <f4} or {@code |b1}, or null. */
    static ElementType type(String descr) {
        boolean ordered = !descr.isEmpty() && "<>|=".indexOf(descr.charAt(0)) >= 0;
        return TYPES.get(ordered ? descr.substring(1) : descr);
    }

    private static long[] dims(Refusal refusal, String what, String tuple) {
        List<Long> dims = new ArrayList<>();
        for (String part : tuple.split(",")) {
            String number = part.strip().replaceFirst("L$", ""); // Python 2 wrote 3L
            if (number.isEmpty()) {
                continue;
            }
            try {
                dims.add(Long.parseLong(number));
            } catch (NumberFormatException e) {
                throw refusal.damaged(what + " has the shape (" + tuple.strip() + ")", e);
            }
        }
        return dims.stream().mapToLong(Long::longValue).toArray();
    }
}
