/**
 * What a run leaves for people and programs: {@code report.html} as one file that needs nothing else, {@code history.csv},
 * {@code result.json} and {@code plan.json}. Everything here is made from plain records, so that reports can be tested and
 * redesigned without an engine. All files appear under their names only when complete.
 */
package dev.graft.cli.report;
