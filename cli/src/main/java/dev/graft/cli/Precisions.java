package dev.graft.cli;

import dev.graft.nn.Precision;
import dev.graft.tensor.GraftException;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The option with which commands choose what to compute in. */
final class Precisions {
    @Option(names = "--precision", paramLabel = "P", defaultValue = "float32", showDefaultValue = Visibility.ALWAYS,
            description = "float32, tf32, bf16 or fp16. The last three are for GPUs; weights stay float32.",
            converter = Converter.class)
    Precision chosen;

    private static final class Converter implements ITypeConverter<Precision> {
        @Override
        public Precision convert(String text) {
            try {
                return Precision.parse(text);
            } catch (GraftException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
