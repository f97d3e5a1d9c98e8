/**
 * The native libraries: one class for each, the only caller of JCuda's class for it. Its methods are the allow-list of
 * native functions; a function that the installed library lacks would end the process when called, so nothing else may call
 * JCuda.
 */
package dev.graft.kernels.driver;
