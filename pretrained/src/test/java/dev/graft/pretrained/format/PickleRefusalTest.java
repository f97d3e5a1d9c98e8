package dev.graft.pretrained.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pickles that ask for code or that are built to hurt: refused by name or with the limit they break, nothing executed. */
class PickleRefusalTest {
    @TempDir
    Path folder;

    private void refused(PickleBytes pickle, String... words) {
        byte[] bytes = pickle.stop();
        for (UnaryOperator<byte[]> wrap : java.util.List.<UnaryOperator<byte[]>>of(b -> b, WeightFiles::legacy,
                b -> WeightFiles.zip(true, Map.of("m/data.pkl", b)))) {
            Path file = folder.resolve("hostile.pt");
            assertThatThrownBy(() -> {
                Files.write(file, wrap.apply(bytes));
                WeightFile.open(file).close();
            }).isInstanceOf(GraftException.class).hasMessageContaining("hostile.pt").hasMessageContainingAll(words);
        }
    }

    @ParameterizedTest
    @CsvSource({"os,system", "posix,system", "nt,system", "builtins,eval", "__builtin__,eval", "builtins,exec",
        "builtins,getattr", "subprocess,Popen", "torch.storage,_load_from_bytes", "torch.hub,load", "numpy.testing,run",
        "torch.nn.modules.linear,Linear", "functools,partial", "operator,attrgetter", "codecs,decode", "os.path,join",
        "__torch__.net,Net"})
    void everyWayToNameAFunctionIsRefusedByName(String module, String name) {
        Path proof = folder.resolve("executed");
        String argument = "touch " + proof;
        String shown = module + "." + name;
        refused(new PickleBytes().global(module, name).str(argument).op(0x85, 'R'), shown, "nothing was executed");
        refused(new PickleBytes().str(module).str(name).op(0x93).str(argument).op(0x85, 'R'), shown);
        refused(new PickleBytes().op('(').str(argument).text("i" + module + "\n" + name + "\n"), shown);
        refused(new PickleBytes().op('(').global(module, name).str(argument).op('o'), shown);
        refused(new PickleBytes().global(module, name).str(argument).op(0x85, 0x81), shown);
        refused(new PickleBytes().global(module, name).str(argument).op(0x85, '}', 0x92), shown);
        refused(new PickleBytes().global("torch._tensor", "_rebuild_from_type_v2").op('(').global(module, name), shown);
        assertThat(proof).doesNotExist();
    }

    @Test
    void callsOfWhatIsNoConstructorAreRefused() {
        refused(new PickleBytes().global("torch", "FloatStorage").op(')', 'R'), "torch.FloatStorage", "not construct");
        refused(new PickleBytes().str("eval").op(')', 'R'), "str");
        refused(new PickleBytes().global("collections", "OrderedDict").str("x").op('R'), "instead of a tuple");
        refused(new PickleBytes().global("collections", "OrderedDict").op(')', '}').str("k").op('N', 's', 0x92), "keywords");
        refused(new PickleBytes().op(0x82, 1), "extension registry");
        refused(new PickleBytes().op(0x97), "out-of-band");
        refused(new PickleBytes().op(']', '}', 'b'), "state of a list");
        refused(new PickleBytes().op('(').str("module").global("torch", "Tensor").str("f.py").str("code")
                .op('t', 'Q'), "pickle");
    }

    @Test
    void brokenMachinesAreRefused() {
        refused(new PickleBytes().op('a'), "stack");
        refused(new PickleBytes(), "stack");
        refused(new PickleBytes().op('N', '(', 'a'), "stack");
        refused(new PickleBytes().op('t'), "mark");
        refused(new PickleBytes().op('h', 7), "memo 7");
        refused(new PickleBytes().op(0x99), "0x99");
        refused(new PickleBytes().op(0x80, 9), "protocol 9");
        refused(new PickleBytes().op('}', 'N', 'a'), "appends to a dict");
        refused(new PickleBytes().op('}', '(', 'N', 'u'), "1 items");
        refused(new PickleBytes().text("Iabc\n"), "'abc'");
        refused(new PickleBytes().text("I" + "9".repeat(5000) + "\n"), "integer");
        refused(new PickleBytes().text("Fone\n"), "'one'");
        refused(new PickleBytes().text("Sabc\n"), "unquoted");
        refused(new PickleBytes().text("V\\uzzzz\n"), "escape");
        refused(new PickleBytes().text("V\\UFFFFFFFF\n"), "escape");
        refused(new PickleBytes().text("gx\n"), "memo index");
        refused(new PickleBytes().op('X', 0xff, 0xff, 0xff, 0xff), "4294967295 bytes");
        refused(new PickleBytes().op(0x8e).raw(PickleBytes.little(8, 1L << 60)), "1152921504606846976");
        refused(new PickleBytes().op(0x8b).raw(PickleBytes.little(4, 1 << 30)), "1073741824");
        refused(new PickleBytes().text("c" + "x".repeat(100_000) + "\n"), "line");
    }

    @Test
    void keysMustBePlain() {
        refused(new PickleBytes().op('}', ']', 'N', 's'), "list as a key");
        // a tuple of tuples of ... doubled 60 times would be hashed 2^60 times
        PickleBytes bomb = new PickleBytes().op('}', ')');
        for (int i = 0; i < 60; i++) {
            bomb.op('2', 0x86);
        }
        refused(bomb.op('N', 's'), "tuple as a key");
    }

    /** A list of ten references to a list of ten references ...: 10^20 leaves in 500 bytes. */
    @Test
    void memoBombsStopAtTheBudget() {
        PickleBytes p = new PickleBytes().op(']', '(').op('N', ']', 'e', 'q', 0);
        for (int i = 1; i <= 20; i++) {
            p.op(']', '(');
            for (int k = 0; k < 10; k++) {
                p.op('h', i - 1);
            }
            p.op('e', 'q', i);
        }
        refused(p, "unfolds");
    }

    @Test
    void copyingBombsStopAtTheBudget() {
        // one list of 10,000, copied by list() again and again
        PickleBytes p = new PickleBytes().op(']', '(');
        for (int i = 0; i < 10_000; i++) {
            p.op('N');
        }
        p.op('e', 'q', 0);
        for (int i = 0; i < 10_000; i++) {
            p.global("builtins", "list").op('h', 0, 0x85, 'R');
        }
        refused(p, "operations");
        // one string of 64 KiB as a part of many keys
        PickleBytes keys = new PickleBytes().str("x".repeat(1 << 16)).op('q', 0).op('}');
        refused(keys.op('h', 0, 0x85, 'N', 's'), "key");
        // long keys at each of many levels
        PickleBytes deep = new PickleBytes().str("x".repeat(1000)).op('q', 0);
        for (int i = 0; i < 50; i++) {
            deep.op('}', 'h', 0);
        }
        deep.op('N');
        for (int i = 0; i < 50; i++) {
            deep.op('s');
        }
        refused(deep, "path");
    }

    @Test
    void deepAndEndlessNestingIsRefused() {
        PickleBytes deep = new PickleBytes();
        for (int i = 0; i < 100_000; i++) {
            deep.op(']');
        }
        for (int i = 0; i < 99_999; i++) {
            deep.op('a');
        }
        refused(deep, "nested deeper");
        refused(new PickleBytes().op(']', 'q', 0, 'h', 0, 'a'), "nested deeper");
        refused(new PickleBytes().op('}', 'q', 0).str("self").op('h', 0, 's'), "nested deeper");
    }

    @Test
    void sizesThatCannotBeAreRefused() throws IOException {
        long huge = 1L << 62;
        long[][] bad = {{-1}, {huge}, {huge, huge}, {1L << 31}, {Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE}};
        for (long[] sizes : bad) {
            refusedTensor(0, sizes, new long[sizes.length], "'' ");
        }
        refusedTensor(0, new long[] {2}, new long[] {1}, "storage has 4 bytes");
        refusedTensor(1, new long[] {1}, new long[] {1}, "storage has 4 bytes");
        refusedTensor(-1, new long[] {1}, new long[] {1}, "storage has 4 bytes");
        refusedTensor(huge, new long[] {1}, new long[] {1}, "2^63");
        refusedTensor(0, new long[] {2}, new long[] {-1}, "negative strides");
        refusedTensor(0, new long[] {3, 3}, new long[] {huge, huge}, "2^63");
        refusedTensor(0, new long[] {1, 1}, new long[] {1}, "1 strides");
        refusedTensor(0, new long[] {1 << 30}, new long[] {0}, "expands 4 stored bytes");
        refusedTensor(0, new long[65], new long[65], "65 axes");
    }

    private void refusedTensor(long offset, long[] sizes, long[] strides, String word) throws IOException {
        byte[] pickle = new PickleBytes().tensor("FloatStorage", "0", 1, offset, sizes, strides).stop();
        for (byte[] content : new byte[][] {WeightFiles.legacy(pickle, "0", 1, new byte[4]),
                WeightFiles.zip(false, Map.of("m/data.pkl", pickle, "m/data/0", new byte[4]))}) {
            Path file = folder.resolve("t.pt");
            Files.write(file, content);
            assertThatThrownBy(() -> WeightFile.open(file).close()).isInstanceOf(GraftException.class)
                    .hasMessageContaining("t.pt").hasMessageContaining(word);
        }
    }

    @Test
    void storagesThatLieAreRefused() throws IOException {
        long many = 1L << 60;
        byte[] claims = new PickleBytes().tensor("FloatStorage", "0", many, 0, new long[] {1}, new long[] {1}).stop();
        byte[] fair = new PickleBytes().tensor("FloatStorage", "0", 1, 0, new long[] {1}, new long[] {1}).stop();
        Map<String, byte[]> files = Map.of(
                "zip claims", WeightFiles.zip(false, Map.of("m/data.pkl", claims, "m/data/0", new byte[4])),
                "zip lacks", WeightFiles.zip(false, Map.of("m/data.pkl", fair)),
                "legacy claims", WeightFiles.legacy(claims, "0", many, new byte[4]),
                "legacy differs", WeightFiles.legacy(fair, "0", 2, new byte[8]),
                "legacy lacks", WeightFiles.legacy(fair),
                "legacy unused", WeightFiles.legacy(fair, "0", 1, new byte[4], "1", 1, new byte[4]),
                "legacy short", WeightFiles.legacy(fair, "0", 1, new byte[3]),
                "legacy twice", WeightFiles.legacy(fair, "0", 1, new byte[4], "0", 1, new byte[4]));
        for (Map.Entry<String, byte[]> e : files.entrySet()) {
            Path file = folder.resolve(e.getKey());
            Files.write(file, e.getValue());
            assertThatThrownBy(() -> WeightFile.open(file).close()).as(e.getKey()).isInstanceOf(GraftException.class)
                    .hasMessageContaining("storage");
        }
    }
}
