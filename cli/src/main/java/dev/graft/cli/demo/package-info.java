/**
 * The demo: a small target task whose images the program draws itself, so that transfer learning can be seen at work with
 * no file and no network. {@link dev.graft.cli.demo.DrawnTask} is the data set, {@link dev.graft.cli.demo.ShapePainter}
 * draws one image; {@code Subjects} holds what is drawn, {@code Scenery} all that makes it hard to recognise.
 */
package dev.graft.cli.demo;
