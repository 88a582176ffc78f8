// Prints the closing line of .ci/run from the reports that the test runners wrote, and fails when a
// test failed, when a report is missing, or when an end-to-end test was skipped.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [, , directory, status] = process.argv;
const total = { passed: 0, failed: 0, skipped: 0 };
const names = readdirSync(directory).filter((name) => name.endsWith(".json"));
for (const name of names) {
  const report = JSON.parse(readFileSync(join(directory, name), "utf8"));
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests + (report.numTodoTests ?? 0);
  // A file that did not even load has no test of its own to count.
  if (report.numFailedTests === 0 && !report.success) total.failed += 1;
}
const wanted = ["test.json", "test-lts.json", "e2e.json", "e2e-tools.json"].filter(
  (name) => !names.includes(name),
);
if (status === "0" && wanted.length > 0) console.error(`no report: ${wanted.join(", ")}`);
const ok = status === "0" && total.failed === 0 && total.skipped === 0 && wanted.length === 0;
if (!ok && total.failed === 0) total.failed = 1; // a step other than a test failed
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = ok ? 0 : 1;
