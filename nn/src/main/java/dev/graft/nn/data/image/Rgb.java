package dev.graft.nn.data.image;

import dev.graft.tensor.GraftException;

/** A colour, each part 0..255. */
public record Rgb(int red, int green, int blue) {
    public static final Rgb BLACK = new Rgb(0, 0, 0);

    public Rgb {
        if (((red | green | blue) & ~0xFF) != 0) {
            throw new GraftException("A colour has parts in 0..255, but (" + red + ", " + green + ", " + blue
                    + ") was given.");
        }
    }
}
