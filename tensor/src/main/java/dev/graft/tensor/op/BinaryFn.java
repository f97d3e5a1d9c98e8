package dev.graft.tensor.op;

/** Elementwise functions of two arguments; comparisons give bool, the logical ones take and give bool. */
public enum BinaryFn {
    ADD("+") {
        @Override public double apply(double x, double y) { return x + y; }
    },
    SUB("-") {
        @Override public double apply(double x, double y) { return x - y; }
    },
    MUL("*") {
        @Override public double apply(double x, double y) { return x * y; }
    },
    DIV("/") {
        @Override public double apply(double x, double y) { return x / y; }
    },
    POW("**") {
        @Override public double apply(double x, double y) { return Math.pow(x, y); }
    },
    MAXIMUM("max") {
        @Override public double apply(double x, double y) { return Math.max(x, y); }
    },
    MINIMUM("min") {
        @Override public double apply(double x, double y) { return Math.min(x, y); }
    },
    EQ("==") {
        @Override public double apply(double x, double y) { return x == y ? 1 : 0; }
    },
    NE("!=") {
        @Override public double apply(double x, double y) { return x != y ? 1 : 0; }
    },
    LT("<") {
        @Override public double apply(double x, double y) { return x < y ? 1 : 0; }
    },
    LE("<=") {
        @Override public double apply(double x, double y) { return x <= y ? 1 : 0; }
    },
    GT(">") {
        @Override public double apply(double x, double y) { return x > y ? 1 : 0; }
    },
    GE(">=") {
        @Override public double apply(double x, double y) { return x >= y ? 1 : 0; }
    },
    AND("and") {
        @Override public double apply(double x, double y) { return x != 0 && y != 0 ? 1 : 0; }
    },
    OR("or") {
        @Override public double apply(double x, double y) { return x != 0 || y != 0 ? 1 : 0; }
    };

    private final String symbol;

    BinaryFn(String symbol) {
        this.symbol = symbol;
    }

    public abstract double apply(double x, double y);

    public String symbol() {
        return symbol;
    }

    /** Whether the result is bool. */
    public boolean isPredicate() {
        return ordinal() >= EQ.ordinal();
    }

    public boolean isLogical() {
        return this == AND || this == OR;
    }
}
