package dev.graft.pretrained.format;

import static dev.graft.pretrained.format.WeightFiles.floats;
import static dev.graft.pretrained.format.WeightFiles.legacy;
import static dev.graft.pretrained.format.WeightFiles.longs;
import static dev.graft.pretrained.format.WeightFiles.zip;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** PyTorch files of both layouts and plain pickles, written byte by byte. */
class TorchFilesTest {
    private static final byte[] ZERO_TO_ELEVEN = floats(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);

    @TempDir
    Path folder;

    private WeightFile open(byte[] content) throws IOException {
        Path file = folder.resolve("w");
        Files.write(file, content);
        return WeightFile.open(file);
    }

    private static byte[] torchZip(boolean deflate, byte[] pickle, byte[]... storages) {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("m/data.pkl", pickle);
        for (int i = 0; i < storages.length; i++) {
            entries.put("m/data/" + i, storages[i]);
        }
        entries.put("m/version", "3\n".getBytes(StandardCharsets.US_ASCII));
        return zip(deflate, entries);
    }

    private static byte[] views() {
        return new PickleBytes().op('}', '(')
                .str("all").tensor("FloatStorage", "0", 12, 0, new long[] {3, 4}, new long[] {4, 1})
                .str("transposed").tensor("FloatStorage", "0", 12, 0, new long[] {4, 3}, new long[] {1, 4})
                .str("column").tensor("FloatStorage", "0", 12, 1, new long[] {3}, new long[] {4})
                .str("expanded").tensor("FloatStorage", "0", 12, 5, new long[] {2, 2}, new long[] {0, 1})
                .str("last").tensor("FloatStorage", "0", 12, 11, new long[] {}, new long[] {})
                .str("ones").tensor("FloatStorage", "0", 12, 4, new long[] {1, 2, 1}, new long[] {77, 1, 99})
                .str("empty").tensor("FloatStorage", "0", 12, 0, new long[] {0, 4}, new long[] {4, 1})
                .str("cube").tensor("FloatStorage", "0", 12, 0, new long[] {2, 3, 2}, new long[] {2, 4, 1})
                .op('u').stop();
    }

    private static void checkViews(WeightFile w) {
        assertThat(w.floats("all")).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
        assertThat(w.entry("transposed").shape()).isEqualTo(Shape.of(4, 3));
        assertThat(w.floats("transposed")).containsExactly(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11);
        assertThat(w.floats("column")).containsExactly(1, 5, 9);
        assertThat(w.floats("expanded")).containsExactly(5, 6, 5, 6);
        assertThat(w.floats("last")).containsExactly(11);
        assertThat(w.entry("last").shape()).isEqualTo(Shape.SCALAR);
        assertThat(w.floats("ones")).containsExactly(4, 5);
        assertThat(w.floats("empty")).isEmpty();
        assertThat(w.floats("cube")).containsExactly(0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void viewsOfASharedStorageInAZip(boolean deflate) throws IOException {
        try (WeightFile w = open(torchZip(deflate, views(), ZERO_TO_ELEVEN))) {
            assertThat(w.format()).isEqualTo("torch-zip");
            checkViews(w);
            checkViews(w); // the second time without the CRC pass
        }
    }

    @Test
    void viewsOfASharedStorageInALegacyFile() throws IOException {
        try (WeightFile w = open(legacy(views(), "0", 12, ZERO_TO_ELEVEN))) {
            assertThat(w.format()).isEqualTo("torch-legacy");
            checkViews(w);
        }
    }

    @Test
    void legacyStorageViewsStartInsideTheirStorage() throws IOException {
        byte[] pickle = new PickleBytes().op('}').str("v").global("torch._utils", "_rebuild_tensor").op('(')
                .op('(').str("storage").global("torch", "FloatStorage").str("0").str("cpu").integer(12)
                .op('(').str("view").integer(3).integer(4).op('t', 't', 'Q')
                .integer(1).tuple(3).tuple(1).op('t', 'R', 's').stop();
        try (WeightFile w = open(legacy(pickle, "0", 12, ZERO_TO_ELEVEN))) {
            assertThat(w.floats("v")).containsExactly(4, 5, 6);
        }
    }

    @ParameterizedTest
    @CsvSource({"DoubleStorage,F64,8", "HalfStorage,F16,2", "BFloat16Storage,BF16,2", "CharStorage,I8,1",
        "ShortStorage,I16,2", "IntStorage,I32,4", "LongStorage,I64,8", "ByteStorage,U8,1", "BoolStorage,BOOL,1"})
    void everyStorageClass(String storage, DType dtype, int width) throws IOException {
        byte[] data = new byte[2 * width]; // the second element is the integer 1 or that type's bits for 1
        byte[] one = switch (dtype) {
            case F64 -> longs(Double.doubleToLongBits(1));
            case F16 -> WeightFiles.shorts(0x3c00);
            case BF16 -> WeightFiles.shorts(0x3f80);
            default -> longs(1);
        };
        System.arraycopy(one, 0, data, width, width);
        byte[] pickle = new PickleBytes().tensor(storage, "0", 2, 0, new long[] {2}, new long[] {1}).stop();
        try (WeightFile z = open(torchZip(false, pickle, data))) {
            assertThat(z.entry("").dtype()).isEqualTo(dtype);
            assertThat(z.doubles("")).containsExactly(0, 1);
        }
        try (WeightFile l = open(legacy(pickle, "0", 2, data))) {
            assertThat(l.entry("").dtype()).isEqualTo(dtype);
            assertThat(l.doubles("")).containsExactly(0, 1);
        }
    }

    @Test
    void untypedStoragesTakeTheirTypeFromTheTensor() throws IOException {
        byte[] pickle = new PickleBytes().op('}').str("u").global("torch._utils", "_rebuild_tensor_v3").op('(')
                .op('(').str("storage").global("torch.storage", "UntypedStorage").str("0").str("cpu").integer(4).op('t', 'Q')
                .integer(1).tuple(1).tuple(1).op(0x89).op('}').global("torch", "uint16").op('t', 'R', 's').stop();
        try (WeightFile w = open(torchZip(false, pickle, WeightFiles.shorts(1, 0xfffe)))) {
            assertThat(w.longs("u")).containsExactly(65534);
        }
    }

    @Test
    void complexTensorsAreListedWithTheReason() throws IOException {
        byte[] pickle = new PickleBytes().op('}', '(')
                .str("c").tensor("ComplexFloatStorage", "0", 1, 0, new long[] {1}, new long[] {1})
                .str("w").tensor("FloatStorage", "1", 1, 0, new long[] {1}, new long[] {1}).op('u').stop();
        try (WeightFile w = open(legacy(pickle, "0", 1, new byte[8], "1", 1, floats(4)))) {
            assertThat(w.unreadable()).containsOnlyKeys("c");
            assertThat(w.floats("w")).containsExactly(4);
        }
    }

    @Test
    void bigEndianArchivesAreSwapped() throws IOException {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("m/data.pkl", new PickleBytes()
                .tensor("FloatStorage", "0", 2, 0, new long[] {2}, new long[] {1}).stop());
        entries.put("m/byteorder", "big".getBytes(StandardCharsets.US_ASCII));
        entries.put("m/data/0", new byte[] {0x3f, (byte) 0x80, 0, 0, (byte) 0xc0, 0, 0, 0});
        try (WeightFile w = open(zip(false, entries))) {
            assertThat(w.floats("")).containsExactly(1, -2);
        }
    }

    @Test
    void nestedCheckpointsFlattenToPathsAndMetadata() throws IOException {
        // {'epoch': 5, 'best': 0.75, 'args': Namespace(lr=0.1), 'layers': [T, {'b': T}], 'opt': {'betas': (0.9, 0.999),
        //  'state': {0: T}}, 'name': None, 'ok': True, 'tags': {'x'}}, with OrderedDict attributes set by BUILD
        byte[] pickle = new PickleBytes().global("collections", "OrderedDict").op(')', 'R', '(')
                .str("epoch").integer(5).str("best").real(0.75)
                .str("args").global("argparse", "Namespace").op(')', 0x81, '}').str("lr").real(0.1).op('s', 'b')
                .str("layers").op(']', '(').tensor("FloatStorage", "0", 1, 0, new long[] {1}, new long[] {1})
                .op('}').str("b").tensor("FloatStorage", "0", 1, 0, new long[] {}, new long[] {}).op('s', 'e')
                .str("opt").op('}', '(').str("betas").real(0.9).real(0.999).op(0x86).str("state").op('}').integer(0)
                .tensor("FloatStorage", "0", 1, 0, new long[] {1, 1}, new long[] {1, 1}).op('s', 'u')
                .str("name").op('N').str("ok").op(0x88)
                .str("tags").op(0x8f, '(').str("x").op(0x90)
                .op('u').op('}').str("_metadata").op('}', 's', 'b').stop();
        try (WeightFile w = open(torchZip(false, pickle, floats(2)))) {
            assertThat(w.entries()).extracting(WeightEntry::name).containsExactly("layers.0", "layers.1.b", "opt.state.0");
            assertThat(w.metadata()).containsExactly(Map.entry("epoch", "5"), Map.entry("best", "0.75"),
                    Map.entry("args.lr", "0.1"), Map.entry("opt.betas", "(0.9, 0.999)"), Map.entry("name", "None"),
                    Map.entry("ok", "True"), Map.entry("tags", "{x}"));
        }
    }

    @Test
    void namesThatMeetAreRefused() {
        byte[] pickle = new PickleBytes().op('}', '(')
                .str("a.b").tensor("FloatStorage", "0", 1, 0, new long[] {1}, new long[] {1})
                .str("a").op('}').str("b").tensor("FloatStorage", "0", 1, 0, new long[] {1}, new long[] {1}).op('s', 'u')
                .stop();
        assertThatThrownBy(() -> open(torchZip(false, pickle, floats(2)))).isInstanceOf(GraftException.class)
                .hasMessageContaining("'a.b'");
    }

    /** numpy.array([[1, 2], [3, 4]], '&lt;i2') as pickle protocol 2 writes it from Python 3, in Fortran order. */
    @Test
    void plainPicklesOfNumpyArrays() throws IOException {
        byte[] pickle = new PickleBytes().op('}', '(').str("a")
                .global("numpy.core.multiarray", "_reconstruct").global("numpy", "ndarray").integer(0).op(0x85)
                .global("_codecs", "encode").str("b").str("latin1").op(0x86, 'R', 0x87, 'R')
                .op('(').integer(1).tuple(2, 2)
                .global("numpy", "dtype").str("i2").op(0x89, 0x88, 0x87, 'R')
                .op('(').integer(3).str("<").op('N', 'N', 'N').integer(-1).integer(-1).integer(0).op('t', 'b')
                .op(0x88).global("_codecs", "encode").str("\1\0\3\0\2\0\4\0").str("latin1").op(0x86, 'R', 't', 'b')
                .str("lr").global("numpy.core.multiarray", "scalar").global("numpy", "dtype").str("f8").op(0x89, 0x88, 0x87)
                .op('R').op('C', 8).raw(longs(Double.doubleToLongBits(0.5))).op(0x86, 'R')
                .op('u').stop();
        try (WeightFile w = open(pickle)) {
            assertThat(w.entry("a").dtype()).isEqualTo(DType.I16);
            assertThat(w.longs("a")).containsExactly(1, 2, 3, 4);
            assertThat(w.metadata()).containsEntry("lr", "0.5");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "<f4 | False | (2, 3) | 0 1 2 3 4 5",
        "<f4 | True | (3, 2) | 0 3 1 4 2 5",
        "<f4 | True | (1, 6) | 0 1 2 3 4 5",
        "<f4 | False | (6,) | 0 1 2 3 4 5",
        "<f4 | False | (6L,) | 0 1 2 3 4 5",
    })
    void npyOrders(String descr, String fortran, String shape, String expected) throws IOException {
        try (WeightFile w = open(WeightFiles.npy(descr, fortran.equals("True"), shape, floats(0, 1, 2, 3, 4, 5)))) {
            assertThat(w.format()).isEqualTo("npy");
            StringBuilder found = new StringBuilder();
            for (float v : w.floats("")) {
                found.append(found.isEmpty() ? "" : " ").append((int) v);
            }
            assertThat(found.toString()).isEqualTo(expected);
        }
    }

    @Test
    void npyByteOrderAndUnsigned() throws IOException {
        try (WeightFile w = open(WeightFiles.npy(">u4", false, "(2,)", new byte[] {-1, 0, 0, 1, 0, 0, 1, 0}))) {
            assertThat(w.longs("")).containsExactly(0xff000001L, 256);
        }
    }

    @Test
    void npzEntriesLoseTheirSuffixAndTextArraysAreNamed() throws IOException {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("conv/kernel:0.npy", WeightFiles.npy("<f4", false, "(2,)", floats(1, 2)));
        entries.put("words.npy", WeightFiles.npy("<U3", false, "(1,)", new byte[12]));
        entries.put("table.npy", WeightFiles.npy("|O", false, "()", new byte[3]));
        for (boolean deflate : new boolean[] {false, true}) {
            try (WeightFile w = open(zip(deflate, entries))) {
                assertThat(w.format()).isEqualTo("npz");
                assertThat(w.floats("conv/kernel:0")).containsExactly(1, 2);
                assertThat(w.unreadable()).containsOnlyKeys("words", "table");
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "<!DOCTYPE html><html> | web page",
        "version https://git-lfs.github.com/spec/v1 | git lfs pull",
        "GGUF1234 | GGUF",
        "hello | convert",
        "'' | empty",
    })
    void whatIsNoWeightFileIsNamed(String content, String word) {
        assertThatThrownBy(() -> open(content.getBytes(StandardCharsets.UTF_8))).isInstanceOf(GraftException.class)
                .hasMessageContaining(word).hasMessageContaining(folder.toString());
    }

    @Test
    void missingFilesAndFoldersAreNamed() {
        assertThatThrownBy(() -> WeightFile.open(folder.resolve("none"))).isInstanceOf(GraftException.class)
                .hasMessageContaining("no such file");
        assertThatThrownBy(() -> WeightFile.open(folder)).isInstanceOf(GraftException.class).hasMessageContaining("folder");
    }
}
