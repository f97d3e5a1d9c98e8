/**
 * Weight files: one reader ({@link dev.graft.pretrained.format.WeightFile}) for safetensors, PyTorch (zip and legacy),
 * npy and npz, one writer ({@link dev.graft.pretrained.format.SafetensorsWriter}), and the pure computation that decides
 * which stored tensor goes into which parameter: {@link dev.graft.pretrained.format.NameMap} makes a
 * {@link dev.graft.pretrained.format.LoadPlan} with a {@link dev.graft.pretrained.format.LoadReport}.
 *
 * <p>How a read flows: a {@code WeightFormat} recognises the file by its first bytes and lists its tensors, each as a
 * {@code StoredTensor}: a view (element type, offset, sizes, strides) of a {@code Storage} (mapped file, file range, zip
 * entry or bytes in memory). All bounds are checked when the file is opened; data is read only when asked for. Files are
 * treated as hostile: no length in a file is believed before it is compared with the file's real size, and pickles are
 * interpreted by a machine that knows a closed list of constructors and executes nothing.
 */
package dev.graft.pretrained.format;
