/** What a device must offer, and how it is found. */
package dev.graft.tensor.backend;
