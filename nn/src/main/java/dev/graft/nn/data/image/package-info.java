/**
 * From image files to the floats a network eats: decoding to 8-bit RGB, PIL's resampling, torchvision's transforms, and
 * {@link dev.graft.nn.data.image.Transforms}, the pipeline as a value. Nothing here touches tensors, so that worker
 * threads can run it.
 */
package dev.graft.nn.data.image;
