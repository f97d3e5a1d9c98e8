package dev.graft.pretrained.format;

import dev.graft.pretrained.format.PyValue.Fields;
import dev.graft.pretrained.format.PyValue.Global;
import dev.graft.pretrained.format.PyValue.NumpyArray;
import dev.graft.pretrained.format.PyValue.NumpyType;
import dev.graft.pretrained.format.PyValue.Tensor;
import dev.graft.pretrained.format.PyValue.Tuple;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Python's pickle machine, protocols 0 to 5, as a reader of data: names resolve only through {@link PickleGlobals}, calls
 * build plain values, nothing is executed. Opcodes: CPython's {@code pickletools.py}. The machine does not recurse. Every
 * opcode and everything that a call copies counts as work, and work is limited, which bounds time and memory.
 */
final class PickleMachine {
    private static final int MAX_WORK = 16_000_000;
    private static final int MAX_DIGITS = 1000;

    /** Resolves what a pickle refers to outside of itself, such as storages. */
    interface Persistent {
        Object load(Object id);
    }

    private final Refusal refusal;
    private final PickleInput in;
    private final Persistent persistent;
    private final List<Object> stack = new ArrayList<>();
    /** Sizes the stack had at each open MARK. */
    private final List<Integer> marks = new ArrayList<>();
    private final Map<Integer, Object> memo = new HashMap<>();
    private long work;

    private PickleMachine(Refusal refusal, PickleInput in, Persistent persistent) {
        this.refusal = refusal;
        this.in = in;
        this.persistent = persistent;
    }

    /** Reads one pickle; {@code in} then stands behind its STOP. */
    static Object load(Refusal refusal, PickleInput in, Persistent persistent) throws IOException {
        PickleMachine machine = new PickleMachine(refusal, in, persistent);
        while (true) {
            int opcode = in.u1();
            if (opcode == '.') {
                return machine.pop();
            }
            machine.work(1);
            machine.step(opcode);
        }
    }

    private void work(long amount) {
        work += amount;
        if (work > MAX_WORK) {
            throw refusal.refused("the pickle needs more than " + MAX_WORK + " operations", "save only the weights");
        }
    }

    /** Counts what building something from {@code arguments} may copy; a few bytes can refer to a large value many times. */
    private void workOn(List<?> arguments) {
        for (Object a : arguments) {
            work(switch (a) {
                case String s -> s.length() / 16;
                case byte[] b -> b.length / 16;
                case Tuple t -> t.items().size();
                case Collection<?> c -> c.size();
                case Map<?, ?> m -> m.size();
                case null, default -> 0;
            });
        }
    }

    private void step(int opcode) throws IOException {
        switch (opcode) {
            case 0x80 -> protocol(in.u1());
            case 0x95 -> in.i8(); // FRAME: a hint for buffering
            case '(' -> marks.add(stack.size());
            case '0' -> popOrMark();
            case '1' -> popToMark();
            case '2' -> push(top());
            case 'N' -> push(null);
            case 0x88 -> push(true);
            case 0x89 -> push(false);
            case 'I' -> push(integerLine());
            case 'J' -> push((long) in.i4());
            case 'K' -> push((long) in.u1());
            case 'M' -> push((long) in.u2());
            case 'L' -> push(integer(in.line().replaceFirst("L$", "")));
            case 0x8a -> push(integer(in.u1()));
            case 0x8b -> push(integer(in.u4()));
            case 'F' -> push(floatLine());
            case 'G' -> push(in.f8());
            case 'S' -> push(quotedLine());
            case 'T' -> push(new String(in.bytes(in.u4()), StandardCharsets.ISO_8859_1));
            case 'U' -> push(new String(in.bytes(in.u1()), StandardCharsets.ISO_8859_1));
            case 'V' -> push(unescape(in.line()));
            case 'X' -> push(in.utf8(in.u4()));
            case 0x8c -> push(in.utf8(in.u1()));
            case 0x8d -> push(in.utf8(in.i8()));
            case 'B' -> push(in.bytes(in.u4()));
            case 'C' -> push(in.bytes(in.u1()));
            case 0x8e, 0x96 -> push(in.bytes(in.i8()));
            case ']' -> push(new ArrayList<>());
            case '}' -> push(new LinkedHashMap<>());
            case ')' -> push(new Tuple(List.of()));
            case 0x8f -> push(new LinkedHashSet<>());
            case 'l' -> push(popToMark());
            case 't' -> push(new Tuple(popToMark()));
            case 0x85 -> push(new Tuple(pop(1)));
            case 0x86 -> push(new Tuple(pop(2)));
            case 0x87 -> push(new Tuple(pop(3)));
            case 'd' -> {
                List<Object> items = popToMark();
                push(new LinkedHashMap<>());
                setItems(items);
            }
            case 0x91 -> {
                List<Object> items = popToMark();
                push(new LinkedHashSet<>());
                addItems(items);
            }
            case 'a' -> append(pop(1));
            case 'e' -> append(popToMark());
            case 's' -> setItems(pop(2));
            case 'u' -> setItems(popToMark());
            case 0x90 -> addItems(popToMark());
            case 'p' -> memo.put(index(in.line()), top());
            case 'q' -> memo.put(in.u1(), top());
            case 'r' -> memo.put(in.i4(), top());
            case 0x94 -> memo.put(memo.size(), top());
            case 'g' -> get(index(in.line()));
            case 'h' -> get(in.u1());
            case 'j' -> get(in.i4());
            case 'c' -> push(PickleGlobals.find(refusal, in.line(), in.line()));
            case 0x93 -> {
                List<Object> names = pop(2);
                if (!(names.get(0) instanceof String module) || !(names.get(1) instanceof String name)) {
                    throw refusal.damaged("the pickle names a global by something that is not a string");
                }
                push(PickleGlobals.find(refusal, module, name));
            }
            case 'R', 0x81 -> {
                List<Object> call = pop(2);
                push(call(call.get(0), call.get(1)));
            }
            case 0x92 -> {
                List<Object> call = pop(3);
                if (call.get(2) instanceof Map<?, ?> keywords && keywords.isEmpty()) {
                    push(call(call.get(0), call.get(1)));
                } else {
                    throw refusal.refused("the pickle calls " + PickleGlobals.kind(call.get(0)) + " with keywords",
                            "save only the weights");
                }
            }
            case 'i' -> {
                Global type = PickleGlobals.find(refusal, in.line(), in.line());
                push(call(type, new Tuple(popToMark())));
            }
            case 'o' -> {
                List<Object> call = popToMark();
                if (call.isEmpty()) {
                    throw underflow();
                }
                push(call(call.get(0), new Tuple(call.subList(1, call.size()))));
            }
            case 'b' -> build(pop());
            case 'Q' -> push(persistent.load(pop()));
            case 'P' -> push(persistent.load(in.line()));
            case 0x82, 0x83, 0x84 -> throw refusal.refused("the pickle uses Python's extension registry",
                    "save only the weights");
            case 0x97, 0x98 -> throw refusal.refused("the pickle keeps data in out-of-band buffers, which are not in the"
                    + " file", "save it without buffer_callback");
            default -> throw refusal.damaged("the pickle has the unknown operation 0x" + Integer.toHexString(opcode)
                    + " before byte " + in.position());
        }
    }

    private void protocol(int version) {
        if (version > 5) {
            throw refusal.refused("the pickle has protocol " + version + " but Graft reads 0 to 5",
                    "save it with pickle_protocol=2");
        }
    }

    private void push(Object value) {
        stack.add(value);
    }

    private int floor() {
        return marks.isEmpty() ? 0 : marks.getLast();
    }

    private RuntimeException underflow() {
        return refusal.damaged("the pickle takes more from its stack than it put there, before byte " + in.position());
    }

    private Object top() {
        if (stack.size() == floor()) {
            throw underflow();
        }
        return stack.getLast();
    }

    private Object pop() {
        Object top = top();
        stack.removeLast();
        return top;
    }

    private void popOrMark() {
        if (!marks.isEmpty() && stack.size() == floor()) {
            marks.removeLast();
        } else {
            pop();
        }
    }

    /** The upper {@code count} values, deepest first, taken off the stack. */
    private List<Object> pop(int count) {
        if (stack.size() - floor() < count) {
            throw underflow();
        }
        return cut(stack.size() - count);
    }

    private List<Object> popToMark() {
        if (marks.isEmpty()) {
            throw refusal.damaged("the pickle closes a mark that it did not open, before byte " + in.position());
        }
        return cut(marks.removeLast());
    }

    private List<Object> cut(int from) {
        List<Object> tail = stack.subList(from, stack.size());
        List<Object> items = new ArrayList<>(tail);
        tail.clear();
        return items;
    }

    private void get(int index) {
        Object value = memo.get(index);
        if (value == null && !memo.containsKey(index)) {
            throw refusal.damaged("the pickle reads memo " + index + ", which it never wrote");
        }
        push(value);
    }

    private int index(String line) {
        try {
            return Integer.parseInt(line);
        } catch (NumberFormatException e) {
            throw refusal.damaged("the pickle has the memo index " + Refusal.quote(line), e);
        }
    }

    @SuppressWarnings("unchecked")
    private void append(List<Object> items) {
        if (!(top() instanceof ArrayList<?> list)) {
            throw refusal.damaged("the pickle appends to a " + PickleGlobals.kind(top()));
        }
        ((List<Object>) list).addAll(items);
    }

    @SuppressWarnings("unchecked")
    private void setItems(List<Object> items) {
        if (!(top() instanceof Map<?, ?> map) || items.size() % 2 != 0) {
            throw refusal.damaged("the pickle sets " + items.size() + " items in a " + PickleGlobals.kind(top()));
        }
        for (int i = 0; i < items.size(); i += 2) {
            ((Map<Object, Object>) map).put(key(items.get(i)), items.get(i + 1));
        }
    }

    @SuppressWarnings("unchecked")
    private void addItems(List<Object> items) {
        if (!(top() instanceof Set<?> set)) {
            throw refusal.damaged("the pickle adds to a " + PickleGlobals.kind(top()));
        }
        items.forEach(i -> ((Set<Object>) set).add(key(i)));
    }

    private Object key(Object value) {
        if (value instanceof Tuple t) {
            workOn(t.items());
        }
        return PickleGlobals.key(refusal, value);
    }

    private Object call(Object callable, Object arguments) {
        if (!(arguments instanceof Tuple args)) {
            throw refusal.damaged("the pickle calls " + PickleGlobals.kind(callable) + " with a "
                    + PickleGlobals.kind(arguments) + " instead of a tuple");
        }
        if (!(callable instanceof Global g) || g.constructor() == null) {
            throw refusal.refused("the pickle calls " + PickleGlobals.kind(callable)
                    + ", which Graft does not construct, nothing was executed",
                    "save the weights alone: torch.save(model.state_dict(), path)");
        }
        workOn(args.items());
        return g.constructor().build(refusal, args.items());
    }

    /** BUILD: gives an object its state. Attributes of dicts and tensors (such as {@code _metadata}) carry no weights. */
    private void build(Object state) {
        workOn(state instanceof Tuple t ? t.items() : Collections.singletonList(state));
        switch (top()) {
            case Map<?, ?> m -> { }
            case Tensor t -> { }
            case Fields f when state instanceof Map<?, ?> values -> f.values().putAll(values);
            case NumpyType t when state instanceof Tuple s && s.items().size() >= 2 ->
                    t.bigEndian = ">".equals(s.items().get(1));
            case NumpyArray a when state instanceof Tuple s && s.items().size() == 5
                    && s.items().get(1) instanceof Tuple shape && s.items().get(2) instanceof NumpyType type -> {
                a.dims = PickleGlobals.longs(refusal, shape);
                a.type = type;
                a.fortranOrder = Boolean.TRUE.equals(s.items().get(3));
                // An array of Python objects has a list here; it has no element type and is never read.
                a.data = s.items().get(4) instanceof List<?> ? new byte[0] : PickleGlobals.raw(refusal, s.items().get(4));
            }
            case null, default -> throw refusal.refused("the pickle sets the state of a " + PickleGlobals.kind(top())
                    + " to a " + PickleGlobals.kind(state), "save only the weights");
        }
    }

    private Object integerLine() throws IOException {
        String s = in.line();
        return s.equals("00") ? (Object) false : s.equals("01") ? (Object) true : integer(s);
    }

    private Object integer(String digits) {
        try {
            if (digits.length() <= MAX_DIGITS) {
                return shortened(new BigInteger(digits));
            }
        } catch (NumberFormatException e) {
            // Reported below, with the text.
        }
        throw refusal.damaged("the pickle has the integer " + Refusal.quote(digits));
    }

    /** An integer of {@code length} little-endian bytes in two's complement. */
    private Object integer(long length) throws IOException {
        if (length > MAX_DIGITS) {
            throw refusal.damaged("the pickle has an integer of " + length + " bytes");
        }
        byte[] little = in.bytes(length);
        byte[] big = new byte[little.length];
        for (int i = 0; i < big.length; i++) {
            big[i] = little[big.length - 1 - i];
        }
        return big.length == 0 ? (Object) 0L : shortened(new BigInteger(big));
    }

    private static Object shortened(BigInteger v) {
        return v.bitLength() < 64 ? (Object) v.longValue() : v;
    }

    private double floatLine() throws IOException {
        String s = in.line();
        try {
            return switch (s) {
                case "inf" -> Double.POSITIVE_INFINITY;
                case "-inf" -> Double.NEGATIVE_INFINITY;
                case "nan" -> Double.NaN;
                default -> Double.parseDouble(s);
            };
        } catch (NumberFormatException e) {
            throw refusal.damaged("the pickle has the float " + Refusal.quote(s), e);
        }
    }

    /** STRING: a Python 2 literal in quotes. */
    private String quotedLine() throws IOException {
        String s = in.line().strip();
        char quote = s.isEmpty() ? 0 : s.charAt(0);
        if (s.length() < 2 || quote != '\'' && quote != '"' || s.charAt(s.length() - 1) != quote) {
            throw refusal.damaged("the pickle has the unquoted string " + Refusal.quote(s));
        }
        return unescape(s.substring(1, s.length() - 1));
    }

    /** Resolves backslash escapes: \n, \t, \r, \\, \', \", \xhh and \\uhhhh. */
    private String unescape(String s) {
        StringBuilder out = new StringBuilder(s.length());
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c != '\\' || i + 1 == s.length()) {
                out.append(c);
                continue;
            }
            char e = s.charAt(++i);
            int digits = e == 'x' ? 2 : e == 'u' ? 4 : e == 'U' ? 8 : 0;
            if (digits == 0) {
                out.append(switch (e) {
                    case 'n' -> '\n';
                    case 't' -> '\t';
                    case 'r' -> '\r';
                    default -> e;
                });
                continue;
            }
            try {
                out.appendCodePoint(Integer.parseUnsignedInt(s.substring(i + 1, Math.min(s.length(), i + 1 + digits)), 16));
            } catch (IllegalArgumentException wrong) {
                throw refusal.damaged("the pickle has the bad escape in " + Refusal.quote(s), wrong);
            }
            i += digits;
        }
        return out.toString();
    }
}
