/** Device memory: a caching allocator, and page-locked host memory through which tensors travel. */
package dev.graft.kernels.memory;
