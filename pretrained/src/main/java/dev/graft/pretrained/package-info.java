/** Graft pretrained. */
package dev.graft.pretrained;
