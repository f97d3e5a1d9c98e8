/**
 * Pretrained networks by name. {@link dev.graft.pretrained.ModelZoo} finds a {@link dev.graft.pretrained.ZooModel}, which
 * loads a weight file into a {@link dev.graft.pretrained.PretrainedModel}: network, model card, class names, preprocessing
 * and load report in one value. {@link dev.graft.pretrained.Classifier} predicts with it,
 * {@link dev.graft.pretrained.WeightSaver} writes it to a file that says by itself how it is to be used, and
 * {@link dev.graft.pretrained.Verification} compares its outputs with recorded ones.
 */
package dev.graft.pretrained;
